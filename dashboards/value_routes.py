"""Routes for the numbers, names and neighbours of the sample's points."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr
from flask import Blueprint, Response, jsonify, request

from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.frames import KIND as PROJECTION
from repviz.dashboards.values import columns, matching_rows, near_rows, ranks, read_values
from repviz.store.hdf5 import read_dataset

MOST_ROWS = 500
"""Of whose ids and texts one request may ask."""
_BINARY = "application/octet-stream"
_VALUES_BYTES = 128_000_000
_NEIGHBORS_BYTES = 128_000_000


def add_value_routes(
    routes: Blueprint,
    catalog: Catalog,
    sample_of: Callable[[RunFiles], xr.Dataset],
    same_or_new: Callable[[Response], Response],
) -> None:
    """Everything that is known of single points; every name is looked up in ``catalog``."""
    blocks, neighbors = FileCache(_VALUES_BYTES), FileCache(_NEIGHBORS_BYTES)

    @routes.get("/runs/<run>/values/<kind>/<int:epoch>")
    def values(run: str, kind: str, epoch: int) -> Response:
        block = blocks.get(catalog.find(run).artifact(kind, epoch), read_values, len)
        return same_or_new(Response(block, mimetype=_BINARY))

    @routes.get("/runs/<run>/columns")
    def tabular(run: str) -> Response:
        return same_or_new(Response(columns(sample_of(catalog.find(run))), mimetype=_BINARY))

    @routes.get("/runs/<run>/rows/<wanted>")
    def rows(run: str, wanted: str) -> Response:
        return jsonify(names(sample_of(catalog.find(run)), numbers(wanted)))

    @routes.get("/runs/<run>/search")
    def search(run: str) -> Response:
        found = matching_rows(sample_of(catalog.find(run)), request.args.get("text", ""))
        return Response(found.tobytes(), mimetype=_BINARY)

    @routes.get("/runs/<run>/ranks/<name>")
    def places(run: str, name: str) -> Response:
        sample = sample_of(catalog.find(run))
        if name not in {"id", "text"} & {*sample}:
            raise NotThereError(f"the sample of run {run} has no {name!r} to be sorted by")
        return same_or_new(Response(ranks(sample, name).tobytes(), mimetype=_BINARY))

    @routes.get("/runs/<run>/neighbors/<int:epoch>/<int:row>")
    def near(run: str, epoch: int, row: int) -> Response:
        path = catalog.find(run).artifact(PROJECTION, epoch)
        dataset = neighbors.get(path, read_neighbors, lambda d: d.nbytes)
        if row >= dataset.sizes["sample"]:
            raise NotThereError(f"the sample of run {run} has {dataset.sizes['sample']} rows, not {row + 1}")
        return jsonify({"epoch": epoch, "row": row, "layers": near_rows(dataset, row)})


def read_neighbors(path: Path) -> xr.Dataset:
    """The neighbours in a projection; see ``read_dataset`` for errors.

    Raises:
        NotThereError: the projection has none.
    """
    dataset = read_dataset(path, ["neighbors"])
    if "neighbors" not in dataset:
        raise NotThereError(f"{path} has no neighbors: it was written without them")
    return dataset


def numbers(text: str) -> list[int]:
    """Row numbers from ``3,17,4``.

    Raises:
        NotThereError: it is something else, or more than ``MOST_ROWS`` of them.
    """
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        raise NotThereError("rows are asked for by number, as in 3,17,4")
    if len(parts) > MOST_ROWS:
        raise NotThereError(f"{len(parts)} rows are more than {MOST_ROWS} at once")
    return [int(part) for part in parts]


def names(sample: xr.Dataset, rows: list[int]) -> list[dict[str, Any]]:
    """Row, id and text (None where the sample has no texts) of each of ``rows``, in their order.

    Args:
        sample: with ids and texts in UTF-8.
        rows: numbers of some of its points.

    Raises:
        NotThereError: the sample has no such row.
    """
    n = sample.sizes["sample"]
    if max(rows) >= n:
        raise NotThereError(f"the sample has {n} rows, not {max(rows) + 1}")
    chosen = sample[["id", *(["text"] if "text" in sample else [])]].isel(sample=rows)
    texts = chosen["text"].values if "text" in chosen else [None] * len(rows)
    return [
        {"row": row, "id": name.decode(), "text": None if text is None else text.decode()}
        for row, name, text in zip(rows, chosen["id"].values, texts, strict=True)
    ]
