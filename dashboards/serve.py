"""``dashboard``: serve a runs folder to the browser. Importing this is cheap; Dash comes with the first call."""

import contextlib
import errno
import logging
import math
import os
import signal
import sys
import threading
import webbrowser
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from repviz.errors import UserError

if TYPE_CHECKING:
    from waitress.server import BaseWSGIServer, MultiSocketServer

_THREADS = 16
_SWITCH_SECONDS = 5e-4
"""How long a thread may compute while others wait for the interpreter: an answer waits for it at every file it reads.
"""


def dashboard(
    runs_dir: str = "runs",
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = False,
    password: str | None = None,
    read_only: bool = False,
) -> None:
    """Serve the runs in ``runs_dir`` until interrupted, and print the address as soon as it can be opened.

    Args:
        runs_dir: folder of the runs; it may be empty or not exist yet.
        host: address to listen on. Only ``host`` counts, whatever the environment variable HOST says.
        port: port to listen on; 0 takes a free one.
        open_browser: open the address in the browser.
        password: asked for before anything is shown; default: the environment variable REPVIZ_PASSWORD, if set.
        read_only: refuse requests that are not for reading.

    Raises:
        UserError: the folder, the host or the port cannot be used; the message says what to do.
    """
    server = make_server(runs_dir, host, port, password=password, read_only=read_only)
    address = address_of(server, host)
    _say(f"repviz dashboard: {address}  (runs in {Path(runs_dir).resolve()}; Ctrl+C ends it)")
    if open_browser:
        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
    usual, over = sys.getswitchinterval(), threading.Event()
    sys.setswitchinterval(_SWITCH_SECONDS)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    _end_at_the_next_interrupt(over)
    # The server itself waits for an answer no longer than 5 s; a thread that is cut off within HDF5 keeps the library
    # locked, and the program would wait for it for good.
    server.task_dispatcher.shutdown(timeout=math.inf)
    over.set()
    sys.setswitchinterval(usual)


def _end_at_the_next_interrupt(over: threading.Event) -> None:
    """Whoever will not wait for answers interrupts again; nothing here writes, so that nothing is lost by it.

    So it is until ``over``, and while the program ends, which waits for a thread that looks into maps.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if not over.is_set() or not threading.main_thread().is_alive():
            os._exit(128 + number)  # an orderly end would wait for the library that one of them keeps locked
        signal.default_int_handler(number, frame)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, end)


def make_server(
    runs_dir: str, host: str, port: int, *, password: str | None = None, read_only: bool = False
) -> "BaseWSGIServer | MultiSocketServer":
    """A server that listens already and answers once its ``run`` is called; errors as for ``dashboard``."""
    folder = Path(runs_dir)
    _check(folder, port)

    from waitress import create_server

    from repviz.dashboards import guard
    from repviz.dashboards.app import create_app

    password = os.environ.get("REPVIZ_PASSWORD") or None if password is None else password
    if password is not None and not password:
        raise UserError("the password is empty; give one with --password, or leave the option out")
    if not guard.is_loopback(host):
        _say(_warning(host, password))
    # A browser opens several connections at once; waitress warns when they wait for a moment.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(folder, guard.accepted_host(host), password=password, read_only=read_only)
    try:
        server = create_server(
            app.server,
            host=host,
            port=port,
            threads=_THREADS,
            ident="repviz",
            max_request_body_size=guard.MAX_BODY_BYTES,
        )
    except (OSError, ValueError) as error:
        raise UserError(_advice(error, host, port)) from error
    threading.Thread(target=app.get_ready, name="repviz-ready").start()
    return server


def address_of(server: "BaseWSGIServer | MultiSocketServer", host: str) -> str:
    """Where a browser on this machine finds ``server``."""
    from waitress.server import MultiSocketServer

    # A name such as localhost can stand for two addresses, and then there are two sockets.
    several = isinstance(server, MultiSocketServer)
    port = server.effective_listen[0][1] if several else server.effective_port
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "*") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _check(folder: Path, port: int) -> None:
    from repviz.store.run_folder import is_run

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name the folder that holds the runs with --runs-dir")
    if is_run(folder):
        raise UserError(f"{folder} is a run; name the folder that holds it: --runs-dir {folder.resolve().parent}")
    if not 0 <= port <= 65535:
        raise UserError(f"port {port} does not exist; choose one from 1 to 65535, or 0 for a free one")


def _warning(host: str, password: str | None) -> str:
    if password is None:
        return (
            f"warning: {host} is not the loopback address: everyone who can reach this machine can see the runs, "
            "their texts included. Leave --host out to keep them to yourself, or set a password with REPVIZ_PASSWORD."
        )
    return (
        f"warning: {host} is not the loopback address, and the connection is not encrypted: whoever can listen on the "
        "way sees the password and the runs. Put a server with HTTPS in front of it where that matters."
    )


def _advice(error: Exception, host: str, port: int) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken, perhaps by another dashboard; choose another one with --port, "
            "--port 0 takes a free one"
        )
    if number == errno.EACCES:
        return f"port {port} may not be used by you; choose one above 1023 with --port"
    return f"cannot listen on {host}:{port}: {error}; leave --host out for this machine alone"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
