"""What all tests share: the real sample of data, and tools that may be required."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def packages() -> Path:
    """The real sample: 3,200 train, 800 val and 160 excluded rows of 384-D embeddings with ten tabular columns."""
    return ROOT / "data" / "packages_small.npz"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; without it the test skips and says so, or fails where ``REPVIZ_REQUIRE`` names chromium."""
    return require("chromium")


def require(program: str) -> str:
    """Path of ``program``."""
    found = shutil.which(program)
    if found is None:
        if program in os.environ.get("REPVIZ_REQUIRE", "").split(","):
            pytest.fail(f"{program} is required here and not installed")
        pytest.skip(f"{program} is not installed")
    return found
