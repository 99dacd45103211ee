"""A row per point of the sample for tools that read parquet: where it is on every map, its class, prediction, text."""

import json
from pathlib import Path

import numpy as np

from repviz.atomic import replacing
from repviz.errors import UserError
from repviz.exports.footage import epochs_of
from repviz.exports.pictures import nearest, wanted_epoch
from repviz.exports.points import point_columns
from repviz.extras import install_command
from repviz.run import Run, open_run


def write_parquet(run_dir: Path, out: Path | None = None, *, epoch: str | int = "best") -> Path:
    """Write the table.

    Args:
        run_dir: the run.
        out: file; default ``exports/points.parquet`` in the run.
        epoch: ``best``, ``last`` or a number; the nearest one that has maps.

    Returns:
        the file.

    Raises:
        UserError: there is no pyarrow, the run has no maps, or the file cannot be written.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"parquet needs the package pyarrow: {install_command('parquet')}") from error
    run = open_run(run_dir)
    out = run.path / "exports" / "points.parquet" if out is None else Path(out)
    at = nearest(epochs_of(run), wanted_epoch(run, epoch))
    columns, predicted_at = point_columns(run, at)
    about = {"run": run.name, "projection_epoch": at, "prediction_epoch": predicted_at}
    table = pyarrow.table(columns | map_columns(run, at)).replace_schema_metadata({"repviz": json.dumps(about)})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as temporary:
            pyarrow.parquet.write_table(table, temporary)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return out


def map_columns(run: Run, epoch: int) -> dict[str, np.ndarray]:
    """``<layer>_<method>_x`` and ``_y`` of every map at ``epoch``; a layer without such a map has no columns."""
    coordinates = run.read("projection", epoch)["coordinates"]
    found = {}
    for layer in (str(name) for name in coordinates["layer"].values):
        for method in (str(name) for name in coordinates["method"].values):
            places = coordinates.sel({"layer": layer, "method": method}).values
            for axis, values in zip("xy", places.T, strict=True):
                if np.isfinite(values).any():
                    found[f"{layer}_{method}_{axis}"] = values
    return found
