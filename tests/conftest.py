"""What all tests share: the real sample of data, tools that may be required, and how often a promise is tested: a
little with ``make test``, as often as it is made with ``make soak``.
"""

import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONG = ("reliability", "dashboards/browser", "background", "training", "callbacks", "offline", "exports")
"""Folders under ``tests`` with the longest files: they come first, so that what is left for the end is short."""

SOAK = bool(os.environ.get("REPVIZ_SOAK"))
soaking = pytest.mark.skipif(not SOAK, reason="with make soak")
"""Marks what takes too long for ``make test``, where something like it is tested."""

_HEARD_BY = pytest.StashKey[dict[signal.Signals, object]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share out the files in this order; a long one at the end would leave the other idle."""
    ranks = {str(ROOT / "tests" / folder): rank for rank, folder in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(str(item.path.parent), len(LONG)))


def _handlers() -> dict[signal.Signals, object]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Note who hears signals; see below."""
    item.stash[_HEARD_BY] = _handlers()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """A handler of signals that a test has left behind would make another one fail, far away from it."""
    done = yield
    before, after = item.stash[_HEARD_BY], _handlers()
    for number, handler in before.items():
        signal.signal(number, handler)
    if after != before:
        pytest.fail(f"it has left other handlers of signals behind: {after}; before it there were {before}")
    return done


@pytest.fixture(scope="session")
def times() -> Callable[[int, int], int]:
    """``times(few, many)``: the second with ``make soak``."""
    return lambda few, many: many if SOAK else few


@pytest.fixture(scope="session")
def packages() -> Path:
    """The real sample: 3,200 train, 800 val and 160 excluded rows of 384-D embeddings with ten tabular columns."""
    return ROOT / "data" / "packages_small.npz"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; without it the test skips and says so, or fails where ``REPVIZ_REQUIRE`` names chromium."""
    return require("chromium")


def require(tool: str, module: str | None = None) -> str:
    """Path of the program ``tool``, or where its Python module lies.

    What is missing skips the test and says so, or fails it where ``REPVIZ_REQUIRE`` names the tool.
    """
    spec = None if module is None else importlib.util.find_spec(module)
    found = shutil.which(tool) if module is None else spec and spec.origin
    if found is None:
        if tool in os.environ.get("REPVIZ_REQUIRE", "").split(","):
            pytest.fail(f"{tool} is required here and not installed")
        pytest.skip(f"{tool} is not installed", allow_module_level=True)
    return found
