"""Rows of a split as the model takes them: scaled, in memory or on the disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repviz.data.arrays import Split
from repviz.data.blocks import ScaledRows
from repviz.data.loaders import Inputs
from repviz.data.scaling import Scaling
from repviz.data.stored import Matrix, StoredArray


@dataclass(frozen=True, eq=False)
class Rows:
    """One split as the model sees it: inputs scaled, and what is known of each row.

    Attributes:
        inputs: the model's positional arguments, each ``(n, ...)`` float32; on the disk, rows are had by ``x[rows]``.
        labels: ``(n,)`` int64, -1 where unknown.
        split: the unscaled arrays, ids and texts.
    """

    inputs: Inputs
    labels: Tensor
    split: Split


def scaled_rows(split: Split, fitted: Mapping[str, Any], *, use_tabular: bool) -> Rows:
    """The rows of ``split``, scaled by what was ``fitted`` to ``embeddings`` and to ``tabular``."""
    inputs = [_scaled(split.embeddings, Scaling(**fitted["embeddings"]))]
    if use_tabular and split.tabular is not None:
        inputs.append(_scaled(split.tabular, Scaling(**fitted["tabular"])))
    labels = np.full(len(split), -1) if split.labels is None else split.labels
    return Rows(tuple(inputs), torch.from_numpy(labels), split)


def _scaled(columns: Matrix, scaling: Scaling) -> Tensor | ScaledRows:
    if isinstance(columns, StoredArray):
        return ScaledRows(columns, scaling)
    return torch.from_numpy(np.ascontiguousarray(scaling.apply(columns)))
