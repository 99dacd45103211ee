"""Data for the pages' scripts: what there is as JSON, maps as binary frames, one sample's text on demand."""

import math
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from flask import Blueprint, Response, jsonify, request

from repviz.dashboards.asked_view import DrawingError
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.compare_routes import add_compare_routes
from repviz.dashboards.drawing import Drawer, Pictures
from repviz.dashboards.figure_routes import add_figure_routes
from repviz.dashboards.frames import with_header
from repviz.dashboards.manifest import UNREADABLE, Manifests
from repviz.dashboards.overview_routes import add_overview_routes
from repviz.dashboards.run_routes import add_run_routes
from repviz.dashboards.value_routes import add_value_routes
from repviz.errors import UserError
from repviz.store.hdf5 import read_dataset
from repviz.theme import SPLIT_NAMES

TEXTS = {"id", "text"}
_BINARY = "application/octet-stream"


def data_routes(
    catalog: Catalog, manifests: Manifests, samples: FileCache, pictures: Pictures, drawer: Drawer
) -> Blueprint:
    """The routes under ``/data``; every name in them is looked up in ``catalog``."""
    routes = Blueprint("data", __name__, url_prefix="/data")

    @routes.get("/runs")
    def runs() -> Response:
        return _same_or_new(jsonify({"runs_dir": str(catalog.runs_dir), "runs": manifests.of_runs()}))

    @routes.get("/runs/<run>/manifest")
    def manifest(run: str) -> Response:
        content = manifests.of_run(catalog.find(run))
        known = request.args.get("since")
        if known is not None:
            return _never_kept(None if known == content["signature"] else manifests.since(known, content))
        if request.if_none_match.contains(content["signature"]):
            return _same_or_new(Response(), content["signature"])
        return _same_or_new(jsonify(content), content["signature"])

    @routes.get("/runs/<run>/metrics")
    def metrics(run: str) -> Response:
        rows = manifests.rows(catalog.find(run))[request.args.get("from", 0, type=int) :]
        # A loss that has become infinite is a number in the table, but not in JSON.
        return jsonify([{k: v if math.isfinite(v) else None for k, v in row.items()} for row in rows])

    @routes.get("/runs/<run>/frames/<method>/<int:epoch>")
    def frame(run: str, method: str, epoch: int) -> Response:
        return _same_or_new(Response(manifests.frame(catalog.find(run), method, epoch), mimetype=_BINARY))

    def sample_of(run: RunFiles) -> xr.Dataset:
        return samples.get(run.sample(), read_points, _dataset_bytes)

    _add_sample(routes, catalog, sample_of)
    add_value_routes(routes, catalog, sample_of, _same_or_new)
    add_figure_routes(routes, catalog, pictures, drawer)
    add_run_routes(routes, catalog, manifests)
    add_overview_routes(routes, catalog, manifests)
    add_compare_routes(routes, catalog, manifests, sample_of, _same_or_new)

    @routes.get("/<path:anything>")
    def nothing(anything: str) -> Response:
        # Without this, Dash would answer with its page.
        raise NotThereError(f"there is nothing at /data/{anything}")

    _say_what_is_wrong(routes)
    return routes


def _add_sample(routes: Blueprint, catalog: Catalog, sample_of: Callable[[RunFiles], xr.Dataset]) -> None:
    @routes.get("/runs/<run>/sample")
    def sample(run: str) -> Response:
        return _same_or_new(Response(points(sample_of(catalog.find(run))), mimetype=_BINARY))

    @routes.get("/runs/<run>/sample/<int:row>")
    def one(run: str, row: int) -> Response:
        dataset = sample_of(catalog.find(run))
        if row >= dataset.sizes["sample"]:
            raise NotThereError(f"the sample of run {run} has {dataset.sizes['sample']} rows, not {row + 1}")
        return jsonify(description(dataset, row))


def _say_what_is_wrong(routes: Blueprint) -> None:
    """Errors as JSON: ``problem`` (missing, damaged) for the scripts, ``message`` for the reader."""

    @routes.errorhandler(NotThereError)
    def missing(error: NotThereError) -> tuple[Response, int]:
        return jsonify({"problem": "missing", "message": str(error.args[0])}), HTTPStatus.NOT_FOUND

    @routes.errorhandler(FileNotFoundError)
    def gone(error: FileNotFoundError) -> tuple[Response, int]:
        return jsonify({"problem": "missing", "message": f"{error.filename} is gone"}), HTTPStatus.NOT_FOUND

    def undrawable(error: Exception) -> tuple[Response, int]:
        return jsonify({"problem": "figure", "message": str(error)}), HTTPStatus.UNPROCESSABLE_ENTITY

    for kind in (UserError, DrawingError):
        routes.register_error_handler(kind, undrawable)

    def damaged(error: Exception) -> tuple[Response, int]:
        return jsonify({"problem": "damaged", "message": str(error)}), HTTPStatus.UNPROCESSABLE_ENTITY

    for kind in UNREADABLE:
        routes.register_error_handler(kind, damaged)


def read_points(path: Path) -> xr.Dataset:
    """The sample at ``path``, ids and texts as UTF-8 (a quarter of the memory); see ``read_dataset`` for errors.

    Raises:
        ValueError: it lacks what every sample has.
    """
    dataset = read_dataset(path)
    lacking = [name for name in ("id", "label", "split") if name not in dataset]
    if lacking:
        raise ValueError(f"{path} has no {' and no '.join(lacking)}: it is not a sample")
    texts = {name: (dataset[name].dims, np.char.encode(dataset[name].values, "utf-8")) for name in TEXTS & {*dataset}}
    return dataset.assign(texts)


def points(dataset: xr.Dataset) -> bytes:
    """Labels (int16, -1 = no class) and splits (int8) of all samples behind a header, as a frame is."""
    labels = np.asarray(dataset["label"].values)
    if labels.max(initial=-1) > np.iinfo(np.int16).max:
        raise ValueError(f"a label of {int(labels.max())} is more than a page can show")
    split = np.asarray(dataset["split"].values, np.int8)
    names = [str(name) for name in dataset["column"].values] if "tabular" in dataset and "column" in dataset else []
    header = {"n": len(labels), "has_text": "text" in dataset, "columns": names}
    return with_header(header, labels.astype("<i2").tobytes() + split.tobytes())


def description(dataset: xr.Dataset, row: int) -> dict[str, Any]:
    """What is known of one sample, as plain JSON types."""
    chosen = dataset.isel(sample=row)
    found: dict[str, Any] = {
        "row": row,
        "id": chosen["id"].item().decode(),
        "label": int(chosen["label"].item()),
        "split": SPLIT_NAMES[int(chosen["split"].item())],
        "text": chosen["text"].item().decode() if "text" in chosen else None,
    }
    if "tabular" in chosen and "column" in chosen:
        values = [float(v) for v in chosen["tabular"].values]
        names = [str(name) for name in chosen["column"].values]
        found["tabular"] = {n: v if np.isfinite(v) else None for n, v in zip(names, values, strict=True)}
    return found


def _same_or_new(response: Response, tag: str | None = None) -> Response:
    """304 where the browser has it already; it must ask each time, for a resumed run rewrites its epochs."""
    response.headers["Cache-Control"] = "no-cache"
    if tag is None:
        response.add_etag()
    else:
        response.set_etag(tag)
    return response.make_conditional(request)


def _never_kept(content: dict[str, Any] | None) -> Response:
    """JSON that nobody asks for twice; no content where there is nothing new."""
    response = Response(status=HTTPStatus.NO_CONTENT) if content is None else jsonify(content)
    response.headers["Cache-Control"] = "no-store"
    return response


def _dataset_bytes(dataset: xr.Dataset) -> int:
    return dataset.nbytes
