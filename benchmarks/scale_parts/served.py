"""A dashboard in a process of its own."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

RUN = "20260101_000000"


@contextlib.contextmanager
def serving(runs: Path) -> Iterator[str]:
    """Address of a dashboard of ``runs``."""
    command = [sys.executable, "-m", "repviz", "dashboard", "--runs-dir", str(runs), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()
