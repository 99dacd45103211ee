"""Log lines as plain text on standard error, wherever that leads at the moment."""

import logging
import sys
from contextlib import suppress
from typing import TextIO


class StderrHandler(logging.Handler):
    """Writes messages to ``sys.stderr`` as it is when the message comes: it may have been replaced since."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; one that a full disk does not take is lost, and nobody who said it ends."""
        stream: TextIO = sys.stderr
        with suppress(OSError):
            stream.write(self.format(record) + "\n")
            stream.flush()


def show(name: str, level: int = logging.INFO) -> None:
    """Show the lines of the logger ``name`` from ``level`` on, once each, in place of how it showed them before."""
    logger = logging.getLogger(name)
    logger.handlers = [StderrHandler()]
    logger.setLevel(level)
    logger.propagate = False
