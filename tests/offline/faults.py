"""How often the system has to fill a page while arrays come and go."""

import resource

import numpy as np

ARRAYS, BYTES = 200, 2**20
PAGES = BYTES // resource.getpagesize()


def faults_of_arrays() -> int:
    """Pages that were filled for this thread, for arrays of a megabyte one after the other."""
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(ARRAYS):
        np.ones(BYTES, np.uint8)
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before
