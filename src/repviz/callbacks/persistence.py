"""Writing to the run while it trains: a disk that takes nothing any more does not end a week's training."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger("repviz")


class Persistence:
    """Tries to write, says once that it cannot, and once that it can again.

    What is written anew each epoch (metrics, ``run.json``, the newest checkpoint) loses nothing by that. No collective
    may run inside ``trying``: the other ranks would wait for one whose error was swallowed.
    """

    def __init__(self) -> None:
        self.problem: OSError | None = None
        """Why the last attempt to write failed, None while writing works."""
        self._is_said = False

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Swallow the system's errors in the block."""
        try:
            yield
        except OSError as error:
            self.failed(error)

    def failed(self, error: OSError) -> None:
        """Note that something could not be written."""
        self.problem = error
        if not self._is_said:
            log.warning(
                "the run cannot be written (%s); training goes on and tries again after every epoch", describe(error)
            )
            self._is_said = True

    def begin(self) -> None:
        """A new round of writing."""
        self.problem = None

    def end(self) -> None:
        """The round is over: say it where writing works again."""
        if self._is_said and self.problem is None:
            log.warning("the run is written again; 'repviz diagnose' computes what it may lack")
            self._is_said = False


def describe(error: OSError) -> str:
    """The system's reason and the file, without the name that it had while it was written."""
    place = f": {Path(error.filename).parent}" if error.filename else ""
    return f"{error.strerror or error}{place}"
