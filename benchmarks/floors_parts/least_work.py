"""The products of matrices without which a part of repviz cannot do its work, and nothing else of it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch


def step_operations(widths: Sequence[int], batch: int) -> int:
    """Floating-point operations of the products of one training step.

    Each layer has three: outputs, gradient of the weights, gradient of the inputs, which the first layer does not need.
    """
    products = [2 * batch * a * b for a, b in pairwise(widths)]
    return 3 * sum(products) - products[0]


def step_products(widths: Sequence[int], batch: int) -> Callable[[], None]:
    """The products of one training step, to be timed."""
    layers = [(torch.randn(batch, a), torch.randn(b, a), torch.randn(batch, b)) for a, b in pairwise(widths)]

    def run() -> None:
        for number, (x, weight, gradient) in enumerate(layers):
            torch.mm(x, weight.T)
            torch.mm(gradient.T, x)
            if number:
                torch.mm(gradient, weight)

    return run


def landscape_products(widths: Sequence[int], n_points: int, at_once: int, rows: int) -> Callable[[], None]:
    """The products of ``at_once`` points of a plane, without those of the first layer, which all points share."""
    layers = [(torch.randn(at_once, rows, a), torch.randn(at_once, a, b)) for a, b in pairwise(widths[1:])]

    def run() -> None:
        for _ in range(n_points // rows):
            for x, weight in layers:
                torch.bmm(x, weight)

    return run


def neighbor_products(n: int, d: int, block: int) -> Callable[[], None]:
    """The products of all ``n`` points ``(n, d)`` with each other, by blocks of rows."""
    points = torch.randn(n, d)

    def run() -> None:
        for rows in points.split(block):
            torch.mm(rows, points.T)

    return run
