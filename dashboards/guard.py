"""What the server refuses before any page code runs, and the headers that keep the page offline."""

import ipaddress
import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request

MAX_BODY_BYTES = 1_000_000
"""The largest request body; what a page sends is a few kilobytes."""

_READING = {"GET", "HEAD", "OPTIONS"}
_POSTED = re.compile(r"/login|/data/runs/[^/]+/figures/.+")
_CALLBACKS = "/_dash-update-component"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine talking to itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def accepted_host(bound_to: str) -> Callable[[str], bool]:
    """Which names a browser may use for a server that listens on ``bound_to``.

    A page elsewhere can make its own name point to this machine (DNS rebinding); its requests then bear that name.
    On the loopback address only loopback names count. On another one also addresses as numbers, which cannot be
    rebound, and this machine's names.
    """
    if is_loopback(bound_to):
        return is_loopback
    names = {bound_to.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    def accepted(host: str) -> bool:
        return is_loopback(host) or host in names or _is_address(host)

    return accepted


def install(
    server: Flask, accepted: Callable[[str], bool], script_hashes: Callable[[], list[str]], *, read_only: bool = False
) -> None:
    """Check every request to ``server``: Host 403, foreign Origin 403, body over ``MAX_BODY_BYTES`` 413.

    Nothing of the dashboard itself writes to the runs; ``read_only`` also refuses (405) what an installed package may
    have added: every method that is not for reading, but for figures and the login.
    """
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @server.before_request
    def check() -> None:
        if not accepted(_host_of(f"//{request.host}")):
            abort(403, "this name is not one of the server's")
        origin = request.headers.get("Origin")
        if origin is not None and _site_of(origin) != request.host:
            abort(403, "another site may not ask")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            abort(413)
        if read_only and request.method not in _READING and not _POSTED.fullmatch(request.path):
            abort(405, "this dashboard is read-only")

    @server.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Content-Security-Policy"] = _policy(script_hashes())
        return response


def refuse_callbacks(server: Flask) -> None:
    """Answer 400 to calls of Dash callbacks: none of this page's runs on the server.

    Dash believes the body of such a request: a wrong one would end in an error of the server's.
    """

    @server.before_request
    def check() -> None:
        if request.path == _CALLBACKS and request.method == "POST":
            abort(400, "no callback of this page runs on the server")


def _policy(script_hashes: list[str]) -> str:
    # 'unsafe-eval': regl, in plotly and in regl-scatterplot, compiles its draw calls with the Function constructor.
    scripts = " ".join(["'self'", "'unsafe-eval'", *script_hashes])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    )


def _host_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _site_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
