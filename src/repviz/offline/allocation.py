"""How the C library deals with memory that is freed, on a worker of a cluster."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Their numbers in ``malloc.h``."""
_LARGEST = 32 * 2**20
"""Bytes up to which glibc keeps what is freed, once it has seen that so much is asked for again and again."""


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let the process keep freed memory for what the block allocates next; after the block the system has it back.

    Dask starts its workers with ``MALLOC_TRIM_THRESHOLD_=65536``. That gives everything back to the system at once, and
    also ends glibc's own adaptation: each array of more than 128 kB is mapped, filled with zeros and unmapped anew. See
    mallopt(3) and malloc_trim(3). Where the C library has no such settings, nothing is done.
    """
    try:
        library = ctypes.CDLL(None)
        mallopt, trim = library.mallopt, library.malloc_trim
    except (AttributeError, OSError, TypeError):
        yield
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
    try:
        yield
    finally:
        trim(0)
