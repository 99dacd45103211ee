"""How exactly matrices and convolutions of single precision are computed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.backends import cuda, cudnn, mkldnn


@contextmanager
def full_single_precision() -> Iterator[None]:
    """No factor of a float32 product is rounded to TF32 or bfloat16 in the block, whatever training has set.

    Training can do with such factors, numbers that are shown cannot: their rounding, a thousandth, moves neighbours and
    hides what a step of a fit gains. What is looked at beside or after training is computed so too.
    """
    products = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    convolutions = partial(getattr, cudnn, "allow_tf32"), partial(setattr, cudnn, "allow_tf32")
    with (
        _setting(*products, "highest", lambda: (cuda.matmul, mkldnn.matmul)),
        _setting(*convolutions, False, lambda: (cudnn.conv, cudnn.rnn)),
    ):
        yield


@contextmanager
def _setting(
    read: Callable[[], Any], write: Callable[[Any], None], exact: Any, parts: Callable[[], Sequence[Any]]
) -> Iterator[None]:
    """``exact`` in the block, then what was there; part by part where torch does not tell of the whole."""
    try:
        before = read()
    except RuntimeError:  # it was set for one part alone
        with _parts_exact(parts()):
            yield
        return
    write(exact)
    try:
        yield
    finally:
        write(before)


@contextmanager
def _parts_exact(parts: Sequence[Any]) -> Iterator[None]:
    before = [part.fp32_precision for part in parts]
    for part in parts:
        part.fp32_precision = "ieee"
    try:
        yield
    finally:
        for part, precision in zip(parts, before, strict=True):
            part.fp32_precision = precision
