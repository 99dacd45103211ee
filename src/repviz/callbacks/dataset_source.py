"""Points from anyone's datasets, drawn by index from the loaders that training uses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from repviz.callbacks.source import EmbeddingSource, GivenSource, Points, Source
from repviz.data.datamodule import EmbeddingDataModule
from repviz.errors import UserError
from repviz.snapshot import Rows, Sample, isolated_random_state, observing

Unpack = Callable[[Any], tuple[Tensor | Sequence[Tensor], Tensor]]
"""A batch, as the loader collates it, to the model's inputs and the labels ``(n,)``."""


def unpack_pair(batch: Any) -> tuple[Tensor | Sequence[Tensor], Tensor]:
    """Inputs and labels of a batch that is a pair of them.

    Raises:
        UserError: it is something else.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    raise UserError(
        f"a batch is a {type(batch).__name__}, not (inputs, targets); say how to take it apart: "
        "RunRecorder(unpack=lambda batch: (batch['x'], batch['y']))"
    )


def source_of(trainer: Trainer, module: nn.Module, unpack: Unpack, sample: Sample | None) -> Source:
    """Where a run's points come from: given as they are, an ``EmbeddingDataModule``, or the loaders' datasets.

    Raises:
        UserError: they cannot be had from there.
    """
    if sample is not None:
        return GivenSource(sample)
    if isinstance(trainer.datamodule, EmbeddingDataModule):
        return EmbeddingSource(trainer.datamodule)
    return DatasetSource(trainer, module, unpack)


class DatasetSource:
    """The map-style datasets of a trainer's training and first validation loader."""

    tabular_names: tuple[str, ...] = ()

    def __init__(self, trainer: Trainer, module: nn.Module, unpack: Unpack) -> None:
        """Args: the trainer, its loaders set up; the module, for the number of classes; how a batch comes apart.

        Raises:
            UserError: there is no loader whose rows can be had by index, or the module gives no logits.
        """
        self._unpack = unpack
        self._loaders = {"train": _loader(trainer.train_dataloader, "training")}
        if trainer.val_dataloaders:
            self._loaders["val"] = _loader(trainer.val_dataloaders, "validation")
        n_classes = _n_logits(module, self.points("train", np.arange(min(2, self.sizes()["train"]))).inputs)
        names = getattr(self._loaders["train"].dataset, "classes", None)
        given = isinstance(names, (list, tuple)) and len(names) == n_classes
        self.classes = tuple(str(name) for name in (names if given else range(n_classes)))

    def sizes(self) -> Mapping[str, int]:
        """Rows per split."""
        return {name: len(loader.dataset) for name, loader in self._loaders.items()}

    def labels(self, split: str) -> np.ndarray | None:
        """Not known without reading every row."""
        return None

    def points(self, split: str, index: np.ndarray) -> Points:
        """Rows of a split, collated as its loader does.

        Raises:
            UserError: labels are not one class number per row.
        """
        loader = self._loaders[split]
        with isolated_random_state():  # a dataset may augment at random, from generators that training draws from
            inputs, labels = self._unpack(loader.collate_fn([loader.dataset[int(i)] for i in index]))
        labels = torch.as_tensor(labels)
        if labels.shape != (len(index),) or labels.is_floating_point():
            raise UserError(
                f"labels must be one class number per row; {len(index)} rows gave {tuple(labels.shape)} "
                f"of {labels.dtype}"
            )
        return Points(
            (inputs,) if isinstance(inputs, Tensor) else tuple(inputs),
            labels.cpu().numpy().astype(np.int64),
            np.array([f"{split} {i}" for i in index]),
        )

    def whole(self) -> Mapping[str, Rows]:
        """None: they may not fit into memory."""
        return {}

    def description(self) -> Mapping[str, Any]:
        """The type of the dataset, and its rows."""
        kind = type(self._loaders["train"].dataset)
        return {"path": f"{kind.__module__}.{kind.__qualname__}", "rows": dict(self.sizes())}


def _loader(found: Any, name: str) -> DataLoader:
    first = found[0] if isinstance(found, list) else found
    if not isinstance(first, DataLoader) or isinstance(first.dataset, IterableDataset):
        what = "an IterableDataset" if isinstance(first, DataLoader) else f"a {type(first).__name__}"
        raise UserError(
            f"the {name} data comes from {what}, whose rows cannot be had by index; give the points to look at: "
            "RunRecorder(sample=repviz.snapshot.Sample(...))"
        )
    return first


def _n_logits(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    parameter = next(module.parameters())
    with observing(module):
        logits = module(*(x.to(parameter.device) for x in inputs))
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(f"the module's forward must give logits (n, n_classes); it gave {shape}")
    return logits.shape[1]
