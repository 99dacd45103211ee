"""The answer to an address that does not exist: a page of its own that leads back, and 404."""

from html import escape
from http import HTTPStatus

from flask import Flask, Response, request

from repviz.dashboards.bare_page import bare_page

_ANY_PATH = "/<path:path>"
"""Where Dash would show the overview whatever the address says, without its styles and scripts."""
_HEAD = """<script src="{top}assets/scheme.js"></script>
<style>
@font-face {{ font-family: "Inter Variable"; font-weight: 100 900; src: url("{top}assets/inter-latin.woff2"); }}
code {{ color: var(--text); }}
.whole {{ white-space: nowrap; }}
</style>"""
_CARD = """<h1>There is no such page</h1>
<p>Nothing is at <code>{path}</code>. Pages are chosen by what follows the question mark, as in
<code class="whole">?page=samples</code>.</p>
<a href="{top}?page=overview">To the overview</a>"""


def install(server: Flask) -> None:
    """Answer so from ``server``, whose data have words of their own for what is missing."""
    server.view_functions[_ANY_PATH] = lambda path: _answer()
    server.register_error_handler(HTTPStatus.NOT_FOUND, lambda _: _answer())


def _answer() -> Response:
    # Relative, for the dashboard may lie below a path of another server's.
    top = "../" * request.path.count("/", 1) or "./"
    card = _CARD.format(top=top, path=escape(request.path))
    page = bare_page("no such page", card, _HEAD.format(top=top), width=440)
    return Response(page, HTTPStatus.NOT_FOUND, mimetype="text/html", headers={"Cache-Control": "no-store"})
