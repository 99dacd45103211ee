"""How often a promise is put to the test: a little with ``make test``, as often as it is made with ``make soak``."""

import os
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def times() -> Callable[[int, int], int]:
    """``times(few, many)``: the second where REPVIZ_SOAK is set."""
    return lambda few, many: many if os.environ.get("REPVIZ_SOAK") else few


soaking = pytest.mark.skipif(not os.environ.get("REPVIZ_SOAK"), reason="with make soak")
"""Marks what takes too long for ``make test``, where something like it is tested."""
