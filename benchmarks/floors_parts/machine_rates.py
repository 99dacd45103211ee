"""What the machine can do: products of matrices, copies in memory, durable writes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch

_LEAST_SECONDS = 0.05


def seconds(run: Callable[[], object], least: float = _LEAST_SECONDS) -> float:
    """Of one call, from as many as fill ``least`` seconds, after one that does not count."""
    run()
    calls, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < least:
        run()
        calls += 1
    return took / calls


def product_rate(m: int, k: int, n: int) -> float:
    """Floating-point operations per second of ``(m, k) @ (k, n)`` in single precision."""
    a, b, out = torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)
    return 2 * m * k * n / seconds(lambda: torch.mm(a, b, out=out))


def copy_rate(n_bytes: int = 2**28) -> float:
    """Bytes per second that a copy in memory reads and writes, for blocks far larger than the caches."""
    source = torch.zeros(n_bytes // 4)
    target = torch.empty_like(source)
    return 2 * n_bytes / seconds(lambda: target.copy_(source))


def durable_write(folder: Path, content: bytes) -> float:
    """Seconds until a new file of ``content`` is on the disk (written and flushed), and nothing else."""
    path = folder / "plain.bin"
    began = time.perf_counter()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    path.unlink()
    return took
