"""Drawing the run's fixed sample from the data, and the dataset that describes it."""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jsonargparse.typing import NonNegativeInt, PositiveInt

from repviz.data.datamodule import EmbeddingDataModule
from repviz.sampling import stratified_indices
from repviz.snapshot import SPLIT_NAMES, Sample


@dataclass(frozen=True)
class SampleSettings:
    """The fixed points that every epoch is looked at with.

    Args:
        size: training and validation points, stratified over split and class.
        excluded: up to so many excluded points besides.
        seed: of the draw.
    """

    size: PositiveInt = 3000
    excluded: NonNegativeInt = 300
    seed: NonNegativeInt = 0


def draw(data: EmbeddingDataModule, settings: SampleSettings) -> dict[str, np.ndarray]:
    """Rows to look at, per split, ascending."""
    train, val = (data.arrays.splits[name].labels for name in ("train", "val"))
    n_train = round(settings.size * len(train) / (len(train) + len(val)))
    rows = {
        "train": stratified_indices(train, n_train, settings.seed),
        "val": stratified_indices(val, settings.size - n_train, settings.seed),
    }
    if "excluded" in data.arrays.splits and settings.excluded:
        excluded = data.arrays.splits["excluded"]
        rows["excluded"] = stratified_indices(
            np.zeros(len(excluded)) if excluded.labels is None else excluded.labels,
            settings.excluded,
            settings.seed,
        )
    return rows


def build(data: EmbeddingDataModule, rows: dict[str, np.ndarray]) -> tuple[Sample, xr.Dataset]:
    """The sample as the model takes it, and as ``sample.h5`` keeps it (tabular columns and texts unscaled)."""
    parts = [(name, data.rows(name), rows[name]) for name in SPLIT_NAMES if name in rows]
    n_inputs = len(parts[0][1].inputs)
    inputs = tuple(torch.cat([part.inputs[i][index] for _, part, index in parts]) for i in range(n_inputs))
    sample = Sample(
        inputs=inputs,
        labels=np.concatenate([part.labels.numpy()[index] for _, part, index in parts]),
        split=np.concatenate([np.full(len(index), SPLIT_NAMES.index(name), np.int8) for name, _, index in parts]),
        index=np.concatenate([index for _, _, index in parts]).astype(np.int64),
        ids=np.concatenate([part.split.ids[index] for _, part, index in parts]),
        classes=data.classes,
    )
    variables = {
        "index": ("sample", sample.index, {"long_name": "row in its split's data"}),
        "id": ("sample", sample.ids),
        "split": ("sample", sample.split, {"long_name": "split", "flag_meanings": " ".join(SPLIT_NAMES)}),
        "label": ("sample", sample.labels, {"long_name": "class, -1 = none of them"}),
        "class_name": ("class", np.array(data.classes)),
    }
    if all(part.split.texts is not None for _, part, _ in parts):
        variables["text"] = ("sample", np.concatenate([part.split.texts[index] for _, part, index in parts]))
    if all(part.split.tabular is not None for _, part, _ in parts):
        tabular = np.concatenate([part.split.tabular[index] for _, part, index in parts])
        variables["tabular"] = (("sample", "column"), tabular, {"long_name": "tabular columns, unscaled"})
        variables["column"] = ("column", np.array(data.arrays.tabular_names))
    return sample, xr.Dataset(variables)


def rows_of(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """The rows per split that a stored sample names, to draw the same points again."""
    split, index = dataset["split"].values, dataset["index"].values
    return {name: index[split == code] for code, name in enumerate(SPLIT_NAMES) if (split == code).any()}
