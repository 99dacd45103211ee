"""Who else is on the machine while a training is timed: a process that only computes, or pages that poll."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dashboard_parts.clients import watch

_COMPUTES = """
import numpy as np
matrix = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
while True:
    matrix @ matrix
"""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@contextmanager
def computing(nice: int) -> Iterator[None]:
    """A process that multiplies matrices with one thread, and gives way as much as the worker programs do."""
    command = [sys.executable, "-c", f"import os; os.nice({nice})\n{_COMPUTES}"]
    process = subprocess.Popen(command, env={**os.environ, **_ONE_THREAD})
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def pages(runs_dir: Path, n_pages: int) -> Iterator[list[int]]:
    """The dashboard of ``runs_dir`` and so many pages that poll its first run; gives the numbers of their answers.

    Raises:
        RuntimeError: when the server failed, or there was no answer.
    """
    command = [sys.executable, "-u", "-m", "repviz", "dashboard", "--runs-dir", str(runs_dir), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    over, answers, problems = threading.Event(), [], []

    def poll(address: str) -> None:
        while not over.is_set():
            runs = sorted(path.name for path in Path(runs_dir).iterdir() if (path / "run.json").exists())
            if not runs:
                time.sleep(0.2)
                continue
            slow, wrong = watch(address, runs[0], n_pages, 5.0)
            answers.append(sum(count for count, _ in slow.values()))
            problems.extend(problem for problem in wrong if problem.rpartition(" ")[2] not in ("404", "422"))

    try:
        address = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        polling = threading.Thread(target=poll, args=(address.rstrip(".,"),))
        polling.start()
        try:
            yield answers
        finally:
            over.set()
            polling.join()
    finally:
        process.kill()
        process.wait()
    if problems or not sum(answers):
        raise RuntimeError(f"the pages were not served: {problems[:3]}")
