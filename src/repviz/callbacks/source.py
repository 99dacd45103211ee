"""Where the points of a run come from: what a look has to know of the data, whoever made it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from repviz.data.datamodule import EmbeddingDataModule
from repviz.snapshot import SPLIT_NAMES, Rows, Sample

_MAX_READ = 1 << 26
"""Bytes of a split on the disk that are read as a whole for the diagnostics, and lie in the background program too."""


class Points(NamedTuple):
    """Some rows of one split.

    Attributes:
        inputs: as the model takes them, each ``(n, ...)``.
        labels: ``(n,)`` int64, -1 = none of the classes.
        ids: ``(n,)`` unicode.
        texts: ``(n,)`` unicode, None where there are none.
        tabular: ``(n, n_columns)`` unscaled, None where there are none.
    """

    inputs: tuple[Tensor, ...]
    labels: np.ndarray
    ids: np.ndarray
    texts: np.ndarray | None = None
    tabular: np.ndarray | None = None


class Source(Protocol):
    """The data of a run, by split (``repviz.snapshot.SPLIT_NAMES``)."""

    classes: tuple[str, ...]
    tabular_names: tuple[str, ...]

    def sizes(self) -> Mapping[str, int]:
        """Rows per split that there is."""

    def labels(self, split: str) -> np.ndarray | None:
        """``(n,)``, -1 = none of the classes; None where nobody knows them without reading every row."""

    def points(self, split: str, index: np.ndarray) -> Points:
        """The rows ``index`` of a split, in that order."""

    def whole(self) -> Mapping[str, Rows]:
        """The splits that are at hand as a whole."""

    def description(self) -> Mapping[str, Any]:
        """What ``run.json`` says of the data."""


class EmbeddingSource:
    """The arrays of an ``EmbeddingDataModule``, scaled; rows on the disk are read by their numbers."""

    def __init__(self, data: EmbeddingDataModule) -> None:
        """Args: the data module, set up."""
        self._data = data
        self.classes = data.classes
        self.tabular_names = tuple(data.arrays.tabular_names)

    def sizes(self) -> Mapping[str, int]:
        """Rows per split."""
        splits = self._data.arrays.splits
        return {name: len(splits[name]) for name in SPLIT_NAMES if name in splits}

    def labels(self, split: str) -> np.ndarray | None:
        """Labels of a split; None where its file has none."""
        return self._data.arrays.splits[split].labels

    def points(self, split: str, index: np.ndarray) -> Points:
        """Rows of a split."""
        rows, chosen = self._data.rows(split), torch.from_numpy(index)
        arrays = rows.split
        return Points(
            tuple(x[chosen] for x in rows.inputs),
            rows.labels.numpy()[index],
            arrays.ids[index],
            None if arrays.texts is None else arrays.texts[index],
            None if arrays.tabular is None else arrays.tabular[index],
        )

    def whole(self) -> Mapping[str, Rows]:
        """The splits that lie in memory; of those on the disk the ones that take little of it."""
        found = {name: self._data.rows(name) for name in self.sizes()}
        at_hand = {
            name: rows
            for name, rows in found.items()
            if not self._data.arrays.on_disk or sum(x.nbytes for x in rows.inputs) <= _MAX_READ
        }
        return {name: Rows(tuple(x[:] for x in rows.inputs), rows.labels) for name, rows in at_hand.items()}

    def description(self) -> Mapping[str, Any]:
        """Path, fingerprint and widths."""
        data = self._data
        return {
            "path": str(Path(data.path).expanduser().absolute()),
            "fingerprint": data.arrays.fingerprint,
            "n_features": data.n_features,
            "n_tabular": data.n_tabular,
            "rows": {name: len(split) for name, split in data.arrays.splits.items()},
        }


class GivenSource:
    """Points that someone has given as they are; there is nothing to draw from."""

    tabular_names: tuple[str, ...] = ()

    def __init__(self, sample: Sample) -> None:
        """Args: the points."""
        self._sample = sample
        self.classes = sample.classes

    def sizes(self) -> Mapping[str, int]:
        """Points per split."""
        return {name: int((self._sample.split == code).sum()) for code, name in enumerate(SPLIT_NAMES)}

    def labels(self, split: str) -> np.ndarray | None:
        """Labels of the split's points."""
        return self._sample.labels[self._rows(split)]

    def points(self, split: str, index: np.ndarray) -> Points:
        """Some of the split's points."""
        rows, sample = self._rows(split)[index], self._sample
        return Points(tuple(x[torch.from_numpy(rows)] for x in sample.inputs), sample.labels[rows], sample.ids[rows])

    def whole(self) -> Mapping[str, Rows]:
        """Not known."""
        return {}

    def description(self) -> Mapping[str, Any]:
        """That the points were given."""
        return {"path": "(given points)", "rows": dict(self.sizes())}

    def _rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(self._sample.split == SPLIT_NAMES.index(split))
