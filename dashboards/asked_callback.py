"""Requests to a callback: one that no page of ours would send is refused before Dash takes it apart."""

from typing import Any

from dash import Dash
from flask import abort, request

UPDATE = "/_dash-update-component"


def install(app: Dash) -> None:
    """Answer 400 where the body is not that of a callback of ``app``; values are the callback's own to check.

    Dash believes the body: a wrong one would end in an error of the server's.
    """

    @app.server.before_request
    def check() -> None:
        if request.path == UPDATE and request.method == "POST" and not _is_known(app, _body()):
            abort(400, "this is not the request of a callback")


def _body() -> Any:
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _is_known(app: Dash, body: Any) -> bool:
    """Whether components and properties are those of a callback that runs on the server."""
    name = body.get("output") if isinstance(body, dict) else None
    callback = app.callback_map.get(name) if isinstance(name, str) else None
    if callback is None or "callback" not in callback:
        return False
    inputs, changed = callback["inputs"], body.get("changedPropIds", [])
    return (
        body.get("outputs") == _outputs(name)
        and _places(body.get("inputs", [])) == _places(inputs)
        and _places(body.get("state", [])) == _places(callback["state"])
        and isinstance(changed, list)
        and all(one in [f"{place['id']}.{place['property']}" for place in inputs] for one in changed)
    )


def _outputs(name: str) -> Any:
    """``..a.x...b.y..`` as Dash's pages write it: a list, or one alone where the name has no dots around it."""
    parts = [part.rpartition(".") for part in name.removeprefix("..").removesuffix("..").split("...")]
    outputs = [{"id": component, "property": prop} for component, _, prop in parts]
    return outputs if name.startswith("..") else outputs[0]


def _places(items: Any) -> list[tuple[Any, Any]] | None:
    """Component and property of each, None where ``items`` are no such list."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    return [(item.get("id"), item.get("property")) for item in items]
