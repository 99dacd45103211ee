"""What every reader of data returns: checked, labelled arrays, the same for .npz and .pkl."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from repviz.data.stored import Matrix, StoredArray, Texts

SPLITS = ("train", "val", "excluded", "test", "predict")
"""Names of the splits a dataset can have; ``predict`` holds rows that may be without labels."""

NO_CLASS = -1
"""The label of a row that belongs to none of the classes (allowed among excluded rows)."""


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split, all arrays of equal length n.

    All but the labels may be on the disk; then rows of them are had by ``array[slice or integers]``.

    Attributes:
        embeddings: ``(n, n_features)`` float32, unscaled.
        labels: ``(n,)`` int64, index into the classes, ``NO_CLASS`` for none of them; None where unlabelled.
        tabular: ``(n, n_tabular)`` float32, unscaled; None where the data has no tabular columns.
        ids: ``(n,)`` unicode, unique over all splits; ``"train:17"`` and the like where the data names none.
        texts: ``(n,)`` unicode, or None.
    """

    embeddings: Matrix
    labels: np.ndarray | None
    tabular: Matrix | None
    ids: Texts
    texts: Texts | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True, eq=False)
class Arrays:
    """A whole dataset.

    Attributes:
        splits: by name, a subset of ``SPLITS``. Training data has ``train`` and ``val``.
        classes: names of the classes; label k means ``classes[k]``. Empty for data without labels.
        tabular_names: one name per tabular column; empty without tabular columns.
        source: the file or folder that was read.
        fingerprint: hex digest that changes whenever the content does.
        recipe: statistics of the tabular recipe that made ``tabular`` (plain JSON types), None for raw columns.
    """

    splits: Mapping[str, Split]
    classes: tuple[str, ...]
    tabular_names: tuple[str, ...]
    source: Path
    fingerprint: str
    recipe: Mapping[str, Any] | None = field(default=None)

    @property
    def n_features(self) -> int:
        """Width of the embeddings."""
        return next(iter(self.splits.values())).embeddings.shape[1]

    @property
    def on_disk(self) -> bool:
        """Whether rows are read from the disk when they are asked for."""
        return any(isinstance(split.embeddings, StoredArray) for split in self.splits.values())

    @property
    def n_tabular(self) -> int:
        """Number of tabular columns, 0 where there are none."""
        return len(self.tabular_names)
