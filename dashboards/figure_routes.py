"""Routes that draw: figures as JSON, and the numbers behind them as CSV."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import xarray as xr
from flask import Blueprint, Response, request
from plotly.io.json import to_json_plotly

from repviz.dashboards.asked_view import view_of
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.drawing import Drawer, Pictures, history
from repviz.dashboards.numbers import as_download
from repviz.figures.registry import Picture
from repviz.store.hdf5 import read_dataset

_JSON = "application/json"
_ASKED_BY = ("GET", "POST")


def add_figure_routes(routes: Blueprint, catalog: Catalog, pictures: Pictures, drawer: Drawer) -> None:
    """``/figures/<picture>/<epoch>`` and ``…/over-epochs``; the same under ``/numbers``, perhaps ``only`` some.

    Figures are also given to POST, whose body is the selection: nothing is kept of it but the figure.

    Numbers of one epoch can be those of one place along named dimensions, as in ``?layer=block1``.
    """

    @routes.route("/runs/<run>/figures/<name>/<int:epoch>", methods=_ASKED_BY)
    def figure(run: str, name: str, epoch: int) -> Response:
        picture = pictures.find(name)
        return as_json(drawer.at_epoch(catalog.find(run), picture, epoch, view_of(picture, _asked())))

    @routes.route("/runs/<run>/figures/<name>/over-epochs", methods=_ASKED_BY)
    def over_epochs(run: str, name: str) -> Response:
        picture = pictures.find(name)
        return as_json(drawer.over_epochs(catalog.find(run), picture, view_of(picture, _asked())))

    @routes.get("/runs/<run>/numbers/<kind>/<int:epoch>")
    def numbers(run: str, kind: str, epoch: int) -> Response:
        found = catalog.find(run)
        dataset = read_dataset(found.artifact(kind, epoch))
        names = [name for name in request.args.get("only", "").split(",") if name]
        unknown = [name for name in names if name not in dataset.data_vars]
        if unknown:
            raise NotThereError(f"{kind} has no {unknown[0]!r}; there is {', '.join(map(str, dataset.data_vars))}")
        places = {key: place for key, place in request.args.items() if key != "only"}
        name = "_".join([found.name, kind, *names, *places.values(), f"epoch_{epoch}"])
        return download(*as_download(at_places(dataset, places), name, names or None))

    @routes.get("/runs/<run>/numbers/<name>/over-epochs")
    def numbers_over_epochs(run: str, name: str) -> Response:
        found, picture = catalog.find(run), pictures.find(name)
        return download(*as_download(_whole_history(found, picture), f"{found.name}_{name}_over_epochs"))


def _asked() -> Mapping[str, str]:
    """What is asked for; a selection that is too long for an address comes as the body."""
    if request.method == "GET":
        return request.args
    return {**request.args, "selection": request.get_data(as_text=True)}


def at_places(dataset: xr.Dataset, places: Mapping[str, str]) -> xr.Dataset:
    """What the dataset has at these names along its dimensions.

    Raises:
        NotThereError: there is no such dimension with names, or no such name.
    """
    for dimension, place in places.items():
        named = dimension in dataset.dims and dimension in dataset.coords and dataset[dimension].dtype.kind == "U"
        if not named or place not in dataset[dimension].values:
            raise NotThereError(f"there is no {dimension} {place!r}")
        dataset = dataset.sel({dimension: place}, drop=True)
    return dataset


def _whole_history(run: RunFiles, picture: Picture) -> xr.Dataset:
    files = run.files(picture.kind)
    return history(run, picture.kind, files, lambda path: read_dataset(path, picture.history))[0]


def as_json(content: Mapping[str, Any] | bytes) -> Response:
    """JSON, or what becomes JSON with figures in it, for which the browser asks anew each time."""
    drawn = content if isinstance(content, bytes) else to_json_plotly(content, engine="orjson")
    response = Response(drawn, mimetype=_JSON)
    response.headers["Cache-Control"] = "no-cache"
    return response


def download(name: str, content: bytes) -> Response:
    """A file that the browser saves."""
    kind = "text/csv" if name.endswith(".csv") else "application/zip"
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    disposition = f'attachment; filename="{plain}"'
    if plain != name:  # as RFC 6266 has it
        disposition += f"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, mimetype=kind, headers={"Content-Disposition": disposition})
