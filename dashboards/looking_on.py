"""A thread that goes on with what no page waits for, a piece at a time, and leaves pages the processor in between."""

import logging
import threading
import time
from collections.abc import Callable, Hashable

_REST = 1.0
"""Seconds of rest for each second of work: a page's answer then waits for the interpreter half as often."""

log = logging.getLogger("repviz")


class LookingOn:
    """Work by key, each done in pieces, in turn, by one thread that is there only while there is work.

    When the program ends, it does the piece that it has begun: a thread that is cut off within HDF5 keeps the library
    locked, and the program would wait for it for good.
    """

    def __init__(self, rest: float = _REST) -> None:
        """Args: ``_REST``."""
        self._rest = rest
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Callable[[], bool]] = {}
        self._thread: threading.Thread | None = None

    def go_on(self, key: Hashable, piece: Callable[[], bool]) -> None:
        """Call ``piece``, which takes a moment, until it says that nothing is left; of one ``key`` the newest.

        One that raises is not called again until it is asked for again.
        """
        with self._lock:
            self._waiting[key] = piece
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="repviz-looking-on")
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or not threading.main_thread().is_alive():
                    self._thread = None
                    return
                key = next(iter(self._waiting))
                piece = self._waiting.pop(key)
            began = time.monotonic()
            try:
                left = piece()
            except Exception:  # whoever asks for what it was about is told why
                log.debug("could not look on at %s", key, exc_info=True)
                left = False
            if left:
                with self._lock:
                    self._waiting.setdefault(key, piece)
            time.sleep(self._rest * (time.monotonic() - began))
