"""Runs to look at, and a server that shows them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dashboards.serving import serving
from tests.dashboards.synthetic_run import SyntheticRun


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """An empty folder for runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def make_run(runs_dir: Path) -> Callable[..., SyntheticRun]:
    """``make_run("name", epochs, **settings)``: a finished run with so many epochs after epoch 0."""

    def make(
        name: str = "20260101_120000", epochs: int = 3, state: str = "finished", **settings: object
    ) -> SyntheticRun:
        run = SyntheticRun(runs_dir / name, **settings)
        for epoch in range(epochs + 1):
            run.write_epoch(epoch)
        run.say(state)
        return run

    return make


@pytest.fixture
def served(runs_dir: Path) -> Iterator[str]:
    """Address of a real server on ``runs_dir``."""
    with serving(runs_dir) as address:
        yield address


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Folder for screenshots: the one that REPVIZ_SHOTS names, else a temporary one."""
    folder = Path(os.environ.get("REPVIZ_SHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
