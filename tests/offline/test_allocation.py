"""What a cluster's worker does with the memory that it frees: told by the pages that the system has to fill."""

import os
import subprocess
import sys

from repviz.offline import allocation
from tests.conftest import ROOT
from tests.offline.faults import ARRAYS, PAGES

PROGRAM = """
import numpy as np, psutil
from repviz.offline.allocation import freed_memory_kept
from tests.offline.faults import faults_of_arrays
resident = lambda: psutil.Process().memory_info().rss
print(faults_of_arrays())
with freed_memory_kept():
    print(faults_of_arrays())
    before = resident()
    arrays, last = [np.ones(2**20, np.uint8) for _ in range(100)], np.ones(2**20, np.uint8)
    print(resident() - before)
    del arrays
    print(resident() - before)
print(resident() - before)
"""


def test_freed_memory_is_kept_where_dask_would_have_it_given_back_and_given_back_in_the_end():
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True,
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536", "PYTHONPATH": str(ROOT)},
    ).stdout.split()  # fmt: skip
    without, within, held, freed, afterwards = map(int, said)
    assert without > 0.9 * ARRAYS * PAGES, "each array is mapped anew"
    assert within < 10 * PAGES
    assert held > 90 * 2**20
    assert freed > 90 * 2**20, "below one that is in use"
    assert afterwards < 10 * 2**20


def test_a_library_without_such_settings_is_left_alone(monkeypatch):
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda _: object())
    with allocation.freed_memory_kept():
        done = True
    assert done
