"""A run for TensorBoard's Embedding Projector: vectors, what each row is, and the file that names them."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.atomic import write_text
from repviz.errors import UserError
from repviz.exports.pictures import nearest, wanted_epoch
from repviz.exports.points import point_columns
from repviz.run import Run, open_run

CONFIG = "projector_config.pbtxt"
METADATA = "metadata.tsv"


def write_tensorboard(run_dir: Path, out: Path | None = None, *, epoch: str | int = "best") -> Path:
    """Write the projector's files; ``tensorboard --logdir OUT`` shows them.

    A layer's vectors are its activations where they were recorded, else its first principal components, else the maps.

    Args:
        run_dir: the run.
        out: folder; default ``exports/tensorboard`` in the run.
        epoch: ``best``, ``last`` or a number; the nearest one that has vectors.

    Returns:
        the folder.

    Raises:
        UserError: nothing was recorded that has vectors, or the folder cannot be written.
    """
    run = open_run(run_dir)
    out = run.path / "exports" / "tensorboard" if out is None else Path(out)
    vectors, at = layer_vectors(run, wanted_epoch(run, epoch))
    columns, _ = point_columns(run, at)
    try:
        out.mkdir(parents=True, exist_ok=True)
        entries = [_write_vectors(out, name, values) for name, values in vectors.items()]
        write_text(out / METADATA, _table(columns))
        write_text(out / CONFIG, "".join(entries))  # last: it names the others
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror or error}") from error
    return out


def layer_vectors(run: Run, wanted: int) -> tuple[dict[str, np.ndarray], int]:
    """Vectors ``(sample, component)`` by what they are called, and their epoch.

    Raises:
        UserError: there are none.
    """
    if epochs := run.epochs("activations"):
        at = nearest(epochs, wanted)
        dataset = run.read("activations", at)
        there = [name for name, variable in dataset.data_vars.items() if variable.ndim == 2]
        return {f"{name}_epoch_{at}": dataset[name].values.astype(np.float32) for name in there}, at
    epochs = run.epochs("projection")
    if not epochs:
        raise UserError(f"run {run.name} has no projection and no activations, and so no vectors")
    at = nearest(epochs, wanted)
    return _of_projection(run.read("projection", at), at), at


def _of_projection(dataset: xr.Dataset, at: int) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for layer in (str(name) for name in dataset["layer"].values):
        if "scores" in dataset:
            found[f"{layer}_pcs_epoch_{at}"] = dataset["scores"].sel(layer=layer).values
        else:
            for method in (str(name) for name in dataset["method"].values):
                found[f"{layer}_{method}_epoch_{at}"] = (
                    dataset["coordinates"].sel({"layer": layer, "method": method}).values
                )
    # what a narrow layer lacks is NaN, which the projector cannot read
    whole = {name: values[:, np.isfinite(values).all(axis=0)] for name, values in found.items()}
    return {name: values.astype(np.float32) for name, values in whole.items() if values.shape[1]}


def _write_vectors(out: Path, name: str, values: np.ndarray) -> str:
    """Writes one tensor; gives its entry in the configuration."""
    file = re.sub(r"[^A-Za-z0-9_.-]", "_", name) + ".tsv"
    write_text(out / file, "".join("\t".join(f"{v:.7g}" for v in row) + "\n" for row in values))
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    fields = [f'tensor_name: "{quoted}"', f'tensor_path: "{file}"', f'metadata_path: "{METADATA}"']
    fields += [f"tensor_shape: {size}" for size in values.shape]
    return "embeddings {\n" + "".join(f"  {line}\n" for line in fields) + "}\n"


def _table(columns: Mapping[str, np.ndarray]) -> str:
    """A table with a header; a tab or a line break in a text becomes a space."""
    shown = {name: values for name, values in columns.items() if name != "index"}
    lines = ["\t".join(shown)]
    lines += ["\t".join(" ".join(str(cell).split()) for cell in row) for row in zip(*shown.values(), strict=True)]
    return "\n".join(lines) + "\n"
