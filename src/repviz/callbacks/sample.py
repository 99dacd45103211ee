"""Drawing the run's fixed sample from the data, and the dataset that describes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jsonargparse.typing import NonNegativeInt, PositiveInt

from repviz.callbacks.source import Source
from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic
from repviz.sampling import stratified_indices
from repviz.snapshot import SPLIT_NAMES, Sample
from repviz.store.sample_file import SAMPLE_FILE, read_sample, write_sample


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


def sample_of_run(
    run_dir: Path,
    points: SampleSettings | Sample,
    source: Source,
    diagnostics: Sequence[Diagnostic | RunDiagnostic],
    order_units: Callable[[Sample], Mapping[str, np.ndarray]],
) -> Sample:
    """The points that were given, or that the run has already, else new ones; writes ``sample.h5`` if it is not there.

    Args:
        run_dir: the run.
        points: how they are drawn, or the points themselves.
        source: what they are drawn from.
        diagnostics: those that will look at them, with what each fixes once per run.
        order_units: gives ``Sample.unit_order`` of a new run.
    """
    there = (run_dir / SAMPLE_FILE).exists()
    if isinstance(points, Sample):
        sample, dataset = points, describe(points)
    else:
        sample, dataset = build(source, rows_of(read_sample(run_dir)) if there else draw(source, points))
    if there:
        return replace(sample, unit_order=stored_unit_order(read_sample(run_dir)))
    sample = replace(sample, unit_order=order_units(sample))
    for diagnostic in diagnostics:
        dataset = dataset.assign(diagnostic.fixed(sample))
    write_sample(run_dir, dataset.merge(describe_unit_order(sample.unit_order)))
    return sample


def draw(source: Source, settings: SampleSettings) -> dict[str, np.ndarray]:
    """Rows to look at, per split, ascending; stratified by class where the labels are known beforehand."""
    sizes = source.sizes()
    n_train = round(settings.size * sizes["train"] / (sizes["train"] + sizes.get("val", 0)))
    wanted = {"train": n_train, "val": settings.size - n_train, "excluded": settings.excluded}
    rows = {}
    for name in SPLIT_NAMES:
        if sizes.get(name) and wanted[name]:
            labels = source.labels(name)
            strata = np.zeros(sizes[name]) if labels is None else labels
            rows[name] = stratified_indices(strata, wanted[name], settings.seed)
    return rows


def build(source: Source, rows: Mapping[str, np.ndarray]) -> tuple[Sample, xr.Dataset]:
    """The sample as the model takes it, and as ``sample.h5`` keeps it (tabular columns and texts unscaled)."""
    names = [name for name in SPLIT_NAMES if name in rows]
    parts = [source.points(name, rows[name]) for name in names]
    sample = Sample(
        inputs=tuple(torch.cat(tensors) for tensors in zip(*(part.inputs for part in parts), strict=True)),
        labels=np.concatenate([part.labels for part in parts]),
        split=np.concatenate([np.full(len(rows[name]), SPLIT_NAMES.index(name), np.int8) for name in names]),
        index=np.concatenate([rows[name] for name in names]).astype(np.int64),
        ids=np.concatenate([part.ids for part in parts]),
        classes=source.classes,
    )
    described = describe(sample)
    if all(part.texts is not None for part in parts):
        described["text"] = ("sample", np.concatenate([part.texts for part in parts]))
    if all(part.tabular is not None for part in parts):
        tabular = np.concatenate([part.tabular for part in parts])
        described["tabular"] = (("sample", "column"), tabular, {"long_name": "tabular columns, unscaled"})
        described["column"] = ("column", np.array(source.tabular_names))
    return sample, described


def describe(sample: Sample) -> xr.Dataset:
    """What ``sample.h5`` says of any sample: ``index``, ``id``, ``split``, ``label``, ``class_name``."""
    return xr.Dataset(
        {
            "index": ("sample", sample.index, {"long_name": "row in its split's data"}),
            "id": ("sample", sample.ids),
            "split": ("sample", sample.split, {"long_name": "split", "flag_meanings": " ".join(SPLIT_NAMES)}),
            "label": ("sample", sample.labels, {"long_name": "class, -1 = none of them"}),
            "class_name": ("class", np.array(sample.classes)),
        }
    )


def describe_unit_order(unit_order: Mapping[str, np.ndarray]) -> xr.Dataset:
    """What ``sample.h5`` keeps of it: ``unit_order`` (layer, rank), -1 where a layer has fewer units than another."""
    if not unit_order:
        return xr.Dataset()
    ranks = np.full((len(unit_order), max(map(len, unit_order.values()))), -1, dtype=np.int32)
    for row, units in zip(ranks, unit_order.values(), strict=True):
        row[: len(units)] = units
    about = {"long_name": "units by descending variance at the run's start", "units": "index"}
    return xr.Dataset({"unit_order": (("layer", "rank"), ranks, about)}, {"layer": np.array(list(unit_order))})


def stored_unit_order(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """``Sample.unit_order`` as a stored sample has it; nothing in a run that was begun without."""
    if "unit_order" not in dataset:
        return {}
    ranks = zip(dataset["layer"].values, dataset["unit_order"].values, strict=True)
    return {str(layer): row[row >= 0].astype(np.int32) for layer, row in ranks}


def rows_of(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """The rows per split that a stored sample names, to draw the same points again."""
    split, index = dataset["split"].values, dataset["index"].values
    return {name: index[split == code] for code, name in enumerate(SPLIT_NAMES) if (split == code).any()}
