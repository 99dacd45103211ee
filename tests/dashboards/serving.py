"""A real server for a test."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from repviz.dashboards.serve import address_of, make_server


def run_until_closed(server) -> None:
    """Serve; that the socket is closed under a waiting server is how a test ends it."""
    with contextlib.suppress(OSError):
        server.run()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = make_server(str(folder), "127.0.0.1", 0)
    threading.Thread(target=run_until_closed, args=[server], daemon=True).start()
    yield address_of(server, "127.0.0.1")
    server.close()
