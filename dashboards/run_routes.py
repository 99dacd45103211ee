"""Routes about runs as wholes: the table of all, and what is known of one."""

import hashlib
from typing import Any

import orjson
from flask import Blueprint, Response, request

from repviz.dashboards.catalog import Catalog
from repviz.dashboards.compare_routes import chosen_runs
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.run_log import log_of
from repviz.dashboards.runs_table import RunsTable

_JSON = "application/json"


def add_run_routes(routes: Blueprint, catalog: Catalog, manifests: Manifests) -> None:
    """``/table`` and ``/runs/<run>/log``."""
    table = RunsTable(catalog, manifests)

    @routes.get("/table")
    def runs_table() -> Response:
        wanted = request.args.get("runs")
        return _json(table.rows(None if wanted is None else chosen_runs(catalog, wanted)))

    @routes.get("/runs/<run>/log")
    def log(run: str) -> Response:
        return _json(log_of(catalog.find(run)))


def _json(content: dict[str, Any]) -> Response:
    """With a tag of the content: what has not changed is not sent again."""
    body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
    response = Response(body, mimetype=_JSON, headers={"Cache-Control": "no-cache"})
    response.set_etag(hashlib.sha1(body, usedforsecurity=False).hexdigest())
    return response.make_conditional(request)
