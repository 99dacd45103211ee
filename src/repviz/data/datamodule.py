"""The LightningDataModule: arrays from a file, scaled by training statistics, served in batches."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeInt, OpenUnitInterval, PositiveInt
from lightning.pytorch import LightningDataModule
from torch import Tensor

from repviz.data.arrays import Arrays
from repviz.data.checks import matched_to_training
from repviz.data.keys import NPZ_KEYS
from repviz.data.loaders import Inputs, Loader, Serving, serve
from repviz.data.npz import Stored
from repviz.data.pickles import PICKLE_KEYS
from repviz.data.reading import form_of, read
from repviz.data.rows import Rows, scaled_rows
from repviz.data.scaling import fit_scaling
from repviz.data.transfer import has_transfer_of_its_own, lies_on
from repviz.errors import DataError, UserError

log = logging.getLogger("repviz.data")

_PURPOSES = {"fit": "fit", "validate": "fit", "test": "test", "predict": "predict"}


class EmbeddingDataModule(LightningDataModule):
    """Embeddings, optional tabular columns and labels from an .npz file or pickled tables.

    A batch is ``((embeddings, tabular), labels)``, or ``((embeddings,), labels)`` without tabular columns.
    """

    def __init__(
        self,
        path: str,
        batch_size: PositiveInt = 512,
        use_tabular: bool = True,
        standardize: Literal["auto", "always", "never"] = "auto",
        val_split: OpenUnitInterval = 0.2,
        seed: NonNegativeInt = 0,
        loading: Literal["auto", "memory", "stream", "blocks"] = "auto",
        block_mib: PositiveInt = 16,
        mixed_blocks: PositiveInt = 8,
        num_workers: NonNegativeInt = 0,
        prefetch_factor: PositiveInt = 2,
        pin_memory: bool = False,
        device_resident: Literal["auto", "always", "never"] = "auto",
        trust_pickle: bool = False,
    ) -> None:
        """Nothing is read yet.

        Args:
            path: an .npz file, a folder of arrays, a .pkl file, or a folder with the pickled tables.
            batch_size: rows per training step on each device.
            use_tabular: whether tabular columns are read at all.
            standardize: scale columns to mean 0 and standard deviation 1 by the training rows; auto: only where
                they are not standardized yet.
            val_split: share of the rows that validate, where the data comes unsplit (pickles).
            seed: of the split and of the order of training rows.
            loading: memory slices batches from tensors; stream goes through worker processes; blocks leaves a folder
                of arrays on the disk and reads it in shuffled blocks; auto: blocks for a folder that would fill more
                than a fifth of the memory, else memory.
            block_mib: size of a block, in MiB of rows as the network takes them.
            mixed_blocks: blocks that lie in memory and are mixed.
            num_workers: worker processes of the streaming loader.
            prefetch_factor: batches that each worker prepares ahead.
            pin_memory: whether the streaming loader pins its batches.
            device_resident: whether the whole data (of blocks, one at a time) lies on the GPU; auto: when it takes less
                than half of its memory.
            trust_pickle: read pickles without the safe reader: runs whatever code is in them.
        """
        super().__init__()
        self.path = path
        self.batch_size = batch_size
        self.use_tabular = use_tabular
        self.standardize = standardize
        self.val_split = val_split
        self.seed = seed
        self.loading = loading
        self.block_mib = block_mib
        self.mixed_blocks = mixed_blocks
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.device_resident = device_resident
        self.trust_pickle = trust_pickle
        self._arrays: Arrays | None = None
        self._rows: dict[str, Rows] = {}
        self._fitted: dict[str, Any] | None = None

    def prepare_data(self) -> None:
        """Make the pickles' cache, once per machine, before the other processes look for it."""
        if self._form == "pickles":
            self._read("fit" if self.trainer is None else self.trainer.state.fn.value)

    def setup(self, stage: str) -> None:
        """Read and check what ``stage`` needs; reading again is free.

        Raises:
            DataError: the data is not as it must be.
        """
        if self._arrays is not None and (stage != "fit" or "train" in self._arrays.splits):
            return
        self._arrays = self._read(stage)
        if self.loading == "auto" and self._others_stay_on_disk():
            self._arrays = self._read(stage, stored="always")
        self._rows = {}
        if stage == "fit":
            self._say_what_has_no_effect()

    def _others_stay_on_disk(self) -> bool:
        """Whether the rows lie on the disk for another process, which has less memory, and not for this one.

        All must read alike: the order of rows on the disk is another than that of rows in memory.
        """
        if self.trainer is None or self.trainer.world_size == 1:
            return False
        of_any = self.trainer.strategy.reduce_boolean_decision(self._arrays.on_disk, all=False)
        return of_any and not self._arrays.on_disk

    @property
    def arrays(self) -> Arrays:
        """What was read, unscaled."""
        if self._arrays is None:
            raise RuntimeError("call setup() first")
        return self._arrays

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes: the training data's."""
        return tuple(self._fitted["classes"]) if self._fitted else self.arrays.classes

    @property
    def n_features(self) -> int:
        """Width of the embeddings."""
        return self.arrays.n_features

    @property
    def n_tabular(self) -> int:
        """Number of tabular columns that the model gets."""
        return self.arrays.n_tabular if self.use_tabular else 0

    def class_counts(self) -> Tensor:
        """``(n_classes,)`` int64: training rows of each class."""
        return torch.from_numpy(np.bincount(self.arrays.splits["train"].labels, minlength=len(self.classes)))

    def rows(self, split: str) -> Rows:
        """The rows of ``split``, scaled by the training statistics (fitted at the first call, or from a checkpoint)."""
        if split not in self._rows:
            source = self.arrays.splits[split]
            fitted = self._fit() if self._fitted is None else self._fitted
            self._rows[split] = scaled_rows(source, fitted, use_tabular=self.use_tabular)
        return self._rows[split]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave a batch that lies there as it is: Lightning would take it apart at every step to find nothing to do.

        A module that has a transfer of its own keeps it.
        """
        module = self.trainer.lightning_module if self.trainer else None
        if module is not None and has_transfer_of_its_own(module):
            return module.transfer_batch_to_device(batch, device, dataloader_idx)
        if lies_on(batch, device):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def train_dataloader(self) -> Loader:
        """Shuffled training batches."""
        rows = self.rows("train")
        return self._loader(rows.inputs, rows.labels, self.batch_size, shuffle=True)

    def val_dataloader(self) -> list[Loader]:
        """Validation batches, and those of excluded rows whose class is known, if there are any."""
        loaders = [self._evaluation_loader("val")]
        excluded = self.arrays.splits.get("excluded")
        if excluded is not None and excluded.labels is not None and (excluded.labels >= 0).any():
            loaders.append(self._evaluation_loader("excluded"))
        return loaders

    def test_dataloader(self) -> Loader:
        """Batches of the test rows."""
        return self._evaluation_loader("test")

    def predict_dataloader(self) -> Loader:
        """Batches of ``((embeddings, tabular), row)`` in order."""
        rows = self.rows(self.predicted_split)
        return self._loader(rows.inputs, torch.arange(len(rows.labels)), self._evaluation_batch, shuffle=False)

    @property
    def predicted_split(self) -> str:
        """The split that ``predict`` runs on: ``X_embed``, else the test rows, else the validation rows."""
        return next(name for name in ("predict", "test", "val") if name in self.arrays.splits)

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps: scalers, the tabular recipe's statistics, classes and the data's fingerprint."""
        return dict(self._fit() if self._fitted is None else self._fitted)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Use a checkpoint's statistics; nothing is fitted again.

        Raises:
            DataError: the data does not fit what the checkpoint was trained on.
        """
        source = self.arrays
        resuming = self.trainer is not None and self.trainer.state.fn == "fit"
        if resuming and source.fingerprint != state_dict["fingerprint"]:
            raise DataError(
                f"{self.path} is not the data that the checkpoint was trained on (or was split otherwise): its "
                f"fingerprint is {source.fingerprint[:12]}, the checkpoint's {state_dict['fingerprint'][:12]}. "
                "A run goes on with its own data only"
            )
        self._fitted = state_dict
        self._rows = {}
        if self.use_tabular and state_dict["recipe"] is not None and source.recipe != state_dict["recipe"]:
            # Pickled tables: their tabular columns are made anew, with the statistics of the training run.
            source = self._read_again(state_dict["recipe"])
        self._arrays = matched_to_training(
            source,
            names=PICKLE_KEYS if self._form == "pickles" else NPZ_KEYS,
            classes=tuple(state_dict["classes"]),
            n_features=len(state_dict["embeddings"]["mean"]),
            tabular_names=tuple(state_dict["tabular_names"]) if self.use_tabular else None,
        )

    @property
    def _form(self) -> str:
        return form_of(Path(self.path).expanduser())

    def _read(self, stage: str, recipe_statistics: Any = None, stored: Stored | None = None) -> Arrays:
        return read(
            self.path,
            purpose=_PURPOSES[stage],
            val_split=self.val_split,
            seed=self.seed,
            trust_pickle=self.trust_pickle,
            recipe_statistics=recipe_statistics,
            tabular=self.use_tabular,
            stored=stored or {"auto": "auto", "blocks": "always"}.get(self.loading, "never"),
        )

    def _read_again(self, recipe_statistics: Any) -> Arrays:
        """Pickled tables with the tabular recipe of the training run; arrays cannot be made anew."""
        if self._form == "pickles":
            return self._read("fit" if self.trainer is None else self.trainer.state.fn.value, recipe_statistics)
        if self.arrays.recipe is not None:
            raise DataError(
                f"{self.path}: its tabular columns were made with other statistics than the checkpoint's training "
                "data; give the pickled tables themselves with --data.path, and they are made anew"
            )
        return self.arrays

    def _fit(self) -> dict[str, Any]:
        """Fit the scalers on the training rows and say in one line what was seen and done."""
        if "train" not in self.arrays.splits:
            raise UserError(
                f"{self.path} has no training rows to fit the scaling on; give the trained model with --ckpt-path"
            )
        train = self.arrays.splits["train"]
        embeddings = fit_scaling(train.embeddings, self.standardize)
        said = f"embeddings: {embeddings.describe()}"
        tabular = None
        if self.use_tabular and train.tabular is not None:
            tabular = fit_scaling(train.tabular, self.standardize)
            said += f"; tabular: {tabular.describe()}"
        log.info(said)
        self._fitted = {
            "embeddings": embeddings.state(),
            "tabular": None if tabular is None else tabular.state(),
            "tabular_names": list(self.arrays.tabular_names) if tabular is not None else [],
            "recipe": None if self.arrays.recipe is None else dict(self.arrays.recipe),
            "classes": list(self.arrays.classes),
            "fingerprint": self.arrays.fingerprint,
        }
        return self._fitted

    @property
    def _evaluation_batch(self) -> int:
        """Nothing is kept for a backward pass, so evaluation takes larger steps."""
        return max(self.batch_size, 4096)

    def _evaluation_loader(self, split: str) -> Loader:
        rows = self.rows(split)
        known = rows.labels >= 0
        chosen = None if bool(known.all()) else torch.nonzero(known)[:, 0]
        return self._loader(rows.inputs, rows.labels, self._evaluation_batch, shuffle=False, chosen=chosen)

    def _loader(self, inputs: Inputs, targets: Tensor, batch_size: int, *, shuffle: bool, **more: Any) -> Loader:
        return serve(inputs, targets, batch_size, shuffle=shuffle, serving=self._serving, **more)

    @property
    def _serving(self) -> Serving:
        trainer = self.trainer
        return Serving(
            self._used_loading,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
            device=trainer.strategy.root_device if trainer else torch.device("cpu"),
            device_resident=self.device_resident,
            num_workers=self.num_workers,
            prefetch_factor=self.prefetch_factor,
            pin_memory=self.pin_memory,
            block_mib=self.block_mib,
            block_rows=self._block_rows,
            mixed_blocks=self.mixed_blocks,
        )

    @property
    def _used_loading(self) -> Literal["memory", "stream", "blocks"]:
        return "blocks" if self.arrays.on_disk else "stream" if self.loading == "stream" else "memory"

    @property
    def _block_rows(self) -> int:
        return max(1, self.block_mib * 2**20 // (4 * (self.n_features + self.n_tabular)))

    def _say_what_has_no_effect(self) -> None:
        settings = {"num_workers": 0, "prefetch_factor": 2, "pin_memory": False}
        changed = [name for name, default in settings.items() if getattr(self, name) != default]
        if self._used_loading != "stream" and changed:
            names = ", data.".join(changed)
            log.info("data.%s has no effect with data.loading=%s, which has no workers", names, self._used_loading)
        if self._used_loading == "blocks":
            log.info(
                "%s stays on the disk; training reads %d blocks of %d rows at a time and mixes them",
                self.path,
                self.mixed_blocks,
                self._block_rows,
            )
