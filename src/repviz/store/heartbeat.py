"""Keeping ``run.json`` of a live run fresh, so that a reader can tell running from killed."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from repviz.store.artifacts import now
from repviz.store.run_folder import HEARTBEAT_SECONDS, write_run_file


class Heartbeat:
    """Owns ``run.json`` while the run lives: renews the heartbeat and the progress from a thread.

    Its end is told through a queue: an event's own lock stays locked where Ctrl-C comes in the midst of it.
    """

    def __init__(self, run_dir: Path, content: dict[str, Any], progress: Callable[[], dict[str, Any]]) -> None:
        """Args: the run, the first content, and a function that says how far training is."""
        self._run_dir = run_dir
        self._content = dict(content)
        self._progress = progress
        self._lock = threading.Lock()
        self._over: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._beat, name="repviz-heartbeat", daemon=True)

    def start(self) -> None:
        """Write the file and begin to renew it."""
        self.update()
        self._thread.start()

    def update(self, **changes: Any) -> None:
        """Change some fields and write at once."""
        with self._lock:
            self._content |= changes
            self._content |= {"heartbeat": now(), "progress": self._progress()}
            write_run_file(self._run_dir, self._content)

    def stop(self, **changes: Any) -> None:
        """Write a last time and let the thread end; a second call only writes."""
        self._over.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self.update(ended=now(), **changes)

    def _beat(self) -> None:
        while self._lives():
            try:
                self.update()
            except OSError:
                # A full disk is no reason to end a training run; the next beat tries again, and a reader on this
                # machine goes by the process, not by the beat.
                continue

    def _lives(self) -> bool:
        """Whether nobody has ended it, after a beat's time."""
        try:
            self._over.get(timeout=HEARTBEAT_SECONDS)
        except queue.Empty:
            return True
        return False
