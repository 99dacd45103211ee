"""The answer to an address that does not exist: a page of its own that leads back, and 404."""

from html import escape
from http import HTTPStatus

from flask import Flask, Response, request

_ANY_PATH = "/<path:path>"
"""Where Dash would show the overview whatever the address says, without its styles and scripts."""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>repviz · no such page</title>
<link rel="icon" type="image/svg+xml" href="{top}assets/icon.svg">
<script src="{top}assets/scheme.js"></script>
<style>
@font-face {{ font-family: "Inter Variable"; font-weight: 100 900; src: url("{top}assets/inter-latin.woff2"); }}
:root {{ color-scheme: light; }}
:root[data-mantine-color-scheme="dark"] {{ color-scheme: dark; }}
body {{ display: grid; place-items: center; min-height: 100vh; margin: 0; background: light-dark(#f5f6f8, #0e1116);
  color: light-dark(#1c2430, #e8ebf0); font: 15px/1.5 "Inter Variable", Inter, system-ui, sans-serif; }}
main {{ display: grid; gap: 14px; width: min(440px, 80vw); padding: 30px; border-radius: 14px;
  border: 1px solid light-dark(#e4e7ec, #262c36); background: light-dark(#fff, #161a21); }}
h1, p {{ margin: 0; }}
h1 {{ font-size: 19px; }}
p {{ color: light-dark(#5d6876, #98a2b0); overflow-wrap: anywhere; }}
code {{ color: light-dark(#1c2430, #e8ebf0); }}
.whole {{ white-space: nowrap; }}
a {{ justify-self: start; padding: 9px 14px; border-radius: 8px; background: #4c5fd7; color: #fff; font-weight: 600;
  text-decoration: none; }}
a:focus-visible {{ outline: 2px solid light-dark(#1c2430, #e8ebf0); outline-offset: 2px; }}
</style>
</head>
<body>
<main>
<h1>There is no such page</h1>
<p>Nothing is at <code>{path}</code>. Pages are chosen by what follows the question mark, as in
<code class="whole">?page=samples</code>.</p>
<a href="{top}?page=overview">To the overview</a>
</main>
</body>
</html>
"""


def install(server: Flask) -> None:
    """Answer so from ``server``, whose data have words of their own for what is missing."""
    server.view_functions[_ANY_PATH] = lambda path: _answer()
    server.register_error_handler(HTTPStatus.NOT_FOUND, lambda _: _answer())


def _answer() -> Response:
    # Relative, for the dashboard may lie below a path of another server's.
    top = "../" * request.path.count("/", 1) or "./"
    page = _PAGE.format(top=top, path=escape(request.path))
    return Response(page, HTTPStatus.NOT_FOUND, mimetype="text/html", headers={"Cache-Control": "no-store"})
