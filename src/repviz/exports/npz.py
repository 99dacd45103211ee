"""Plain npz and csv files: ``projections/``, ``probes.csv``, ``landscapes/`` and ``surfaces/``."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.atomic import replacing, write_text
from repviz.errors import UserError
from repviz.run import Run, open_run

PROBE_COLUMNS = ("layer", "probe_acc", "probe_f1", "epoch")


def write_npz(run_dir: Path, out: Path | None = None) -> Path:
    """Write every epoch of the projections, landscapes and surfaces, and one table of the probes.

    Args:
        run_dir: the run.
        out: folder; default ``exports/npz`` in the run.

    Returns:
        the folder.

    Raises:
        UserError: the run has none of these kinds, or the folder cannot be written.
    """
    run = open_run(run_dir)
    out = run.path / "exports" / "npz" if out is None else Path(out)
    there = [kind for kind in (*_ARRAYS, "probe") if run.epochs(kind)]
    if not there:
        raise UserError(f"run {run.name} has none of {', '.join(_ARRAYS)} and probe: there is nothing to write")
    try:
        for kind, (folder, arrays) in _ARRAYS.items():
            for epoch in run.epochs(kind):
                _write_arrays(out / folder / f"epoch_{epoch:03d}.npz", arrays(run.read(kind, epoch)))
        if "probe" in there:
            write_text(out / "probes.csv", probes_table(run))
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror or error}") from error
    return out


def projection_arrays(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """``{layer}_pca`` and ``{layer}_umap`` ``(n, 2)``, and ``labels``."""
    arrays = {"labels": dataset["label"].values}
    for layer in (str(name) for name in dataset["layer"].values):
        for method in (str(name) for name in dataset["method"].values):
            arrays[f"{layer}_{method}"] = dataset["coordinates"].sel({"layer": layer, "method": method}).values
    return arrays


def landscape_arrays(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """``alphas``, ``betas``, ``loss`` ``(alpha, beta)`` of val where measured; ``loss_<split>`` of each split."""
    loss = dataset["loss"].transpose("split", "alpha", "beta")
    splits = [str(name) for name in dataset["split"].values]
    chosen = splits.index("val") if "val" in splits else 0
    arrays = {"alphas": dataset["alpha"].values, "betas": dataset["beta"].values, "loss": loss.values[chosen]}
    return arrays | {f"loss_{split}": loss.values[i] for i, split in enumerate(splits)}


def surface_arrays(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """``grid_x``, ``grid_y`` and ``pred`` ``(y, x)``, ``proba`` ``(y, x, class)``, ``ref_proj`` and ``ref_labels``."""
    grid_x, grid_y = np.meshgrid(dataset["x"].values, dataset["y"].values)
    return {
        "grid_x": grid_x,
        "grid_y": grid_y,
        "proba": dataset["probability"].transpose("y", "x", "class").values,
        "pred": dataset["prediction"].transpose("y", "x").values,
        "ref_proj": dataset["sample_xy"].values,
        "ref_labels": dataset["label"].values,
    }


def probes_table(run: Run) -> str:
    """``probes.csv``: a row per layer and epoch."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PROBE_COLUMNS)
    for epoch in run.epochs("probe"):
        probe = run.read("probe", epoch)
        rows = zip(probe["layer"].values, probe["accuracy"].values, probe["f1_macro"].values, strict=True)
        writer.writerows([str(layer), float(accuracy), float(f1), epoch] for layer, accuracy, f1 in rows)
    return text.getvalue()


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


_ARRAYS: dict[str, tuple[str, Callable[[xr.Dataset], dict[str, np.ndarray]]]] = {
    "projection": ("projections", projection_arrays),
    "landscape": ("landscapes", landscape_arrays),
    "surface": ("surfaces", surface_arrays),
}
