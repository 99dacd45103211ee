"""Where steps are computed: in this process, in several on this machine, or on a Dask cluster."""

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from joblib.externals.loky import ProcessPoolExecutor

from repviz import logs
from repviz.errors import UserError
from repviz.extras import install_command
from repviz.offline.allocation import freed_memory_kept
from repviz.version import __version__

log = logging.getLogger("repviz")

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PATIENCE = 10
"""Seconds until a scheduler that does not answer is given up."""


LOST = (BrokenProcessPool, CancelledError)
"""With what all futures of a pool end when it cannot go on; the pool itself makes a ``UserError`` of it."""


class Pool(NamedTuple):
    """Something that computes.

    Attributes:
        submit: a function and its arguments, to a future.
        room: how many steps may be under way.
    """

    submit: Callable[..., "Future[Any]"]
    room: Callable[[], int]


@contextmanager
def this_process() -> Iterator[Pool]:
    """One step after the other, here."""

    def submit(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(function(*arguments))
        return future

    yield Pool(submit, lambda: 1)


@contextmanager
def local_processes(jobs: int, threads: int) -> Iterator[Pool]:
    """Several processes of so many threads each; they end with this block, at once when it raises.

    Raises:
        UserError: one of them was killed.
    """
    executor = ProcessPoolExecutor(jobs, env=dict.fromkeys(_THREADS, str(threads)), initializer=_begin)
    try:
        yield Pool(executor.submit, lambda: jobs)
    except BrokenProcessPool as error:
        executor.shutdown(wait=True, kill_workers=True)
        raise UserError(
            "a worker process ended abruptly: killed, or out of memory. What was computed stays, and the same command "
            "goes on from there; with fewer --jobs if memory was short"
        ) from error
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise
    executor.shutdown(wait=True)


@contextmanager
def dask_cluster(address: str) -> Iterator[Pool]:
    """The workers of a Dask scheduler, a step to each; a step whose worker dies goes to another.

    Raises:
        UserError: Dask is not installed, nobody answers or answers any more, or the workers have another repviz.
    """
    if not re.fullmatch(r"([a-z]+://)?[^/]+:\d+", address):
        raise UserError(f"{address!r} is not the address of a Dask scheduler, as in tcp://host:8786")
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError(f"--scheduler needs Dask: {install_command('cluster')}") from error
    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        _check_workers(client, address)
        executor = client.get_executor(pure=False)
        try:
            yield Pool(partial(executor.submit, _on_worker), lambda: max(1, len(client.nthreads())))
        except CancelledError as error:
            raise UserError(
                f"the Dask cluster at {address} has gone away. What was computed stays, and the same command goes on "
                "from there"
            ) from error
        finally:
            executor.shutdown(wait=False)  # what has not begun does not begin; nothing is left where all went well


def _check_workers(client: Any, address: str) -> None:
    """Steps are sent by name: every worker needs the same repviz."""
    try:
        versions = client.run(_version)
    except Exception as error:  # whatever a worker's interpreter says of its lack
        raise UserError(f"the workers at {address} cannot import repviz {__version__}: {error}") from error
    others = {worker: found for worker, found in versions.items() if found != __version__}
    if others:
        worker, found = next(iter(others.items()))
        raise UserError(f"worker {worker} has repviz {found}, this is {__version__}: install the same one")
    if not versions:
        log.info("%s has no worker yet; waiting for one", address)


def _on_worker(function: Callable[..., Any], *arguments: Any) -> Any:
    with freed_memory_kept():
        return function(*arguments)


def _version() -> str:
    return __version__


def _begin() -> None:
    """Ctrl-C goes to all processes of a terminal; the first one decides for all. Without it there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    logs.show("repviz")


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)  # at once: artifacts are written atomically
