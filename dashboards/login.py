"""A password before everything: a form, a signed cookie, and a pause after too many wrong ones."""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from html import escape
from http import HTTPStatus

from flask import Flask, Response, jsonify, redirect, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from repviz.dashboards.bare_page import bare_page

COOKIE = "repviz_session"
SESSION_SECONDS = 30 * 24 * 3600
WRONG_ALLOWED = 5
"""Wrong passwords of one address before it has to pause."""
PAUSE_SECONDS = 60.0
_KNOWN_ADDRESSES = 10_000
"""Remembered at once; those that tried longest ago are forgotten first."""
_SALT = b"repviz dashboard"

_STYLE = """<style>
label { display: grid; gap: 5px; color: var(--muted); font-size: 13px; }
input { padding: 9px 11px; border: 1px solid light-dark(#c9ced6, #39414e); border-radius: 8px; background: transparent;
  color: var(--text); font: inherit; }
[role=alert] { color: light-dark(#b3261e, #ff9a92); font-size: 13px; }
</style>"""
_CARD = """<h1>repviz</h1>
<form method="post" action="login?{query}">
<label>Password
<input type="password" name="password" autocomplete="current-password" autofocus required></label>
{message}
<button>Open the dashboard</button>
</form>"""


class Attempts:
    """Counts wrong passwords per address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Args: a clock in seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}

    def pause(self, address: str) -> float:
        """Seconds that ``address`` has still to wait; 0 = it may try."""
        with self._lock:
            count, since = self._wrong.get(address, (0, 0.0))
            return max(0.0, since + PAUSE_SECONDS - self._clock()) if count >= WRONG_ALLOWED else 0.0

    def wrong(self, address: str) -> None:
        """One more; after a pause one try is free, and if it is wrong too the next pause begins."""
        with self._lock:
            count, since = self._wrong.pop(address, (0, 0.0))
            over = count >= WRONG_ALLOWED and self._clock() - since >= PAUSE_SECONDS
            self._wrong[address] = (WRONG_ALLOWED if over else count + 1, self._clock())
            if len(self._wrong) > _KNOWN_ADDRESSES:
                del self._wrong[next(iter(self._wrong))]

    def right(self, address: str) -> None:
        """Start again."""
        with self._lock:
            self._wrong.pop(address, None)


def install(server: Flask, password: str, attempts: Attempts | None = None) -> None:
    """Let nobody see anything of ``server`` who has not given ``password``.

    A right one gets a signed cookie, which holds in every process that was started with the same password. Whoever is
    not logged in gets the form for a page, and 401 for data.

    Raises:
        ValueError: the password is empty.
    """
    if not password:
        raise ValueError("the password is empty")
    # Slow to derive, so that a cookie does not help to guess the password.
    key = hashlib.scrypt(password.encode(), salt=_SALT, n=2**14, r=8, p=1)
    signer = URLSafeTimedSerializer(key, salt="session")
    tried = attempts or Attempts()

    def logged_in() -> bool:
        try:
            return signer.loads(request.cookies.get(COOKIE, ""), max_age=SESSION_SECONDS) == "in"
        except BadSignature:
            return False

    def is_right(given: str) -> bool:
        # Of digests, so that the time tells not even the length.
        return hmac.compare_digest(*(hashlib.sha256(text.encode()).digest() for text in (given, password)))

    @server.before_request
    def check() -> Response | tuple[Response, int] | None:
        if request.path == "/login":
            return _answer(signer, tried, is_right)
        if logged_in():
            return None
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return redirect(f"/login?{request.query_string.decode('latin-1')}")
        return jsonify(
            {"problem": "login", "message": "the password is needed; reload the page"}
        ), HTTPStatus.UNAUTHORIZED


def _answer(signer: URLSafeTimedSerializer, tried: Attempts, is_right: Callable[[str], bool]) -> Response:
    """The form, or what becomes of a password."""
    if request.method != "POST":
        return _form("")
    address = request.remote_addr or ""
    if pause := tried.pause(address):
        response = _form(f"Too many wrong passwords. Try again in {pause:.0f} seconds.", HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = f"{pause:.0f}"
        return response
    if not is_right(request.form.get("password", "")):
        tried.wrong(address)
        return _form("This is not the password.", HTTPStatus.FORBIDDEN)
    tried.right(address)
    response = redirect(f"/?{request.query_string.decode('latin-1')}")
    response.set_cookie(
        COOKIE, signer.dumps("in"), max_age=SESSION_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure
    )
    return response


def _form(message: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    text = f'<p role="alert">{escape(message)}</p>' if message else ""
    card = _CARD.format(query=escape(request.query_string.decode("latin-1")), message=text)
    page = bare_page("password", card, _STYLE, width=300)
    # With no-referrer, as elsewhere, a browser would send the form with "Origin: null", which the guard refuses.
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"}
    return Response(page, status, mimetype="text/html", headers=headers)
