"""How the C library deals with memory that is freed, on a worker of a cluster."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Their numbers in ``malloc.h``."""
_LARGEST = 32 * 2**20
"""Bytes up to which glibc keeps what is freed, once it has seen that so much is asked for again and again."""


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for what it allocates next, as a process does by itself.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``. That gives everything back to the system at once, and
    also ends glibc's own adaptation: each array of more than 128 kB is mapped, filled with zeros and unmapped anew. See
    mallopt(3).

    Returns:
        whether the C library has such settings; elsewhere than in glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, 2 * _LARGEST))
