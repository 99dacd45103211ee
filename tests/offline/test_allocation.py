"""What a cluster's worker does with the memory that it frees: told by the pages that the system has to fill."""

import os
import subprocess
import sys

from repviz.offline import allocation
from tests.conftest import ROOT
from tests.offline.faults import ARRAYS, PAGES

PROGRAM = """
from repviz.offline.allocation import keep_freed_memory
from tests.offline.faults import faults_of_arrays
print(faults_of_arrays(), keep_freed_memory(), faults_of_arrays())
"""


def test_freed_memory_is_kept_where_dask_would_have_it_given_back():
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True,
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "PYTHONPATH": str(ROOT)},
    ).stdout.split()  # fmt: skip
    assert int(said[0]) > 0.9 * ARRAYS * PAGES, "each array is mapped anew"
    assert said[1] == "True"
    assert int(said[2]) < 10 * PAGES


def test_a_library_without_such_settings_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda _: object())
    assert allocation.keep_freed_memory() is False
