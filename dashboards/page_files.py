"""The page's own scripts and styles as one file each, and the HTML that asks for no script that nothing needs."""

import gzip
import hashlib
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from dash import Dash
from flask import Response, request

ASSETS = Path(__file__).parent / "assets"
_ALONE = {"scheme.js"}
"""Runs in the head, before anything is painted."""
_TYPES = {"js": "text/javascript", "css": "text/css"}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASKED = ("_dash-layout", "_dash-dependencies")
_UNUSED = re.compile(r'<script src="[^"]*/(?:dash/deps/polyfill@|dash/dash_table/)[^"]*"></script>\n?')
"""What Dash asks for by itself: ten years old JavaScript's missing parts, and a table that no page has."""


class PageDash(Dash):
    """Dash, whose page names one script and one style sheet of ours instead of some sixty."""

    files: "PageFiles"
    get_ready: Callable[[], None]
    """Makes what the first page needs, for a thread of its own."""

    def interpolate_index(self, **parts: Any) -> str:
        """The page; our scripts come before those of the components, which call them."""
        parts["css"] += f'\n<link rel="stylesheet" href="{self.files.address("css")}">'
        # Dash asks for these when all scripts have run; they can be here by then.
        prefix = self.config.requests_pathname_prefix
        asked = (f'<link rel="preload" href="{prefix}{path}" as="fetch" crossorigin>' for path in _ASKED)
        parts["css"] += "".join(asked)
        parts["scripts"] = f'<script src="{self.files.address("js")}"></script>\n' + _UNUSED.sub("", parts["scripts"])
        return super().interpolate_index(**parts)


class PageFiles:
    """All scripts, or all styles, of a folder one after the other, in the order of their names."""

    def __init__(self, folder: Path = ASSETS) -> None:
        """Args: the folder; it is read once."""
        self._content = {kind: _joined(folder, kind) for kind in _TYPES}
        self._digest = {kind: hashlib.sha256(content).hexdigest()[:16] for kind, content in self._content.items()}
        self._packed: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def address(self, kind: str) -> str:
        """Where the page finds them: beside what the styles refer to. Another content has another address."""
        return f"assets/all.{self._digest[kind]}.{kind}"

    def packed(self, kind: str) -> bytes:
        """Compressed by gzip, once."""
        with self._lock:
            if kind not in self._packed:
                self._packed[kind] = gzip.compress(self._content[kind], 6, mtime=0)
            return self._packed[kind]

    def install(self, app: PageDash) -> None:
        """Serve them from ``app``, compressed where the browser takes it, to be kept for ever."""
        app.files = self

        @app.server.get("/assets/all.<digest>.<kind>")
        def all_of_a_kind(digest: str, kind: str) -> Response:
            if self._digest.get(kind) != digest:
                return Response("this page is of an older version: load it again", HTTPStatus.NOT_FOUND)
            packs = request.accept_encodings["gzip"] > 0
            response = Response(self.packed(kind) if packs else self._content[kind], mimetype=_TYPES[kind])
            response.headers["Cache-Control"] = _FOR_EVER
            response.headers["Vary"] = "Accept-Encoding"
            if packs:
                response.headers["Content-Encoding"] = "gzip"
            return response


def _joined(folder: Path, kind: str) -> bytes:
    """The files' contents; each script is a statement of its own, whatever its neighbor ends with."""
    files = sorted(path for path in folder.glob(f"*.{kind}") if path.name not in _ALONE)
    return (
        b"\n;\n".join(path.read_bytes() for path in files) if kind == "js" else b"\n".join(map(Path.read_bytes, files))
    )
