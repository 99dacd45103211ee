"""Routes about runs as wholes: the table of all, what is known of one, and several over each other."""

import hashlib
from typing import Any

import orjson
from flask import Blueprint, Response, request
from plotly.io.json import to_json_plotly

from repviz.dashboards.catalog import Catalog, NotThereError
from repviz.dashboards.drawing import on_page
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.run_log import log_of
from repviz.dashboards.runs_table import RunsTable
from repviz.figures import comparison
from repviz.figures.view import View

MOST_COMPARED = 10
"""Runs over each other: as many as there are colours that everybody can tell apart."""
_JSON = "application/json"


def add_run_routes(routes: Blueprint, catalog: Catalog, manifests: Manifests) -> None:
    """``/table``, ``/runs/<run>/log`` and ``/compare``."""
    table = RunsTable(catalog, manifests)

    @routes.get("/table")
    def runs_table() -> Response:
        wanted = request.args.get("runs")
        return _json(table.rows(None if wanted is None else _chosen(catalog, wanted)))

    @routes.get("/runs/<run>/log")
    def log(run: str) -> Response:
        return _json(log_of(catalog.find(run)))

    @routes.get("/compare")
    def compare() -> Response:
        names = _chosen(catalog, request.args.get("runs", ""))
        theme = "dark" if request.args.get("theme") == "dark" else "light"
        view = View(theme=theme, options={"log": request.args.get("log") == "1"})
        rows = {name: manifests.rows(catalog.find(name)) for name in names}
        content = on_page(comparison.figure(rows, view), f"compare/{'/'.join(names)}")
        return Response(to_json_plotly(content, engine="orjson"), mimetype=_JSON)


def _chosen(catalog: Catalog, text: str) -> list[str]:
    """Names that are runs, in the order given; names that are none are an error."""
    names = list(dict.fromkeys(name for name in text.split(",") if name))
    if not names:
        raise NotThereError("no run is named")
    if len(names) > MOST_COMPARED:
        raise NotThereError(f"{len(names)} runs are too many to be told apart; at most {MOST_COMPARED}")
    return [catalog.find(name).name for name in names]


def _json(content: dict[str, Any]) -> Response:
    """With a tag of the content: what has not changed is not sent again."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    response = Response(body, mimetype=_JSON, headers={"Cache-Control": "no-cache"})
    response.set_etag(hashlib.sha1(body, usedforsecurity=False).hexdigest())
    return response.make_conditional(request)
