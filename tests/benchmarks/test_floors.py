"""Counted work against closed forms, and against what torch itself counts."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from floors_parts.least_work import landscape_products, neighbor_products, step_operations, step_products

WIDTHS, BATCH = (6, 5, 4, 3), 7


def counted(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def test_a_step_has_three_products_per_layer_but_no_gradient_of_its_inputs():
    network = nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in pairwise(WIDTHS)))
    x = torch.randn(BATCH, WIDTHS[0])
    expected = counted(lambda: network(x).sum().backward())
    assert step_operations(WIDTHS, BATCH) == expected
    assert counted(step_products(WIDTHS, BATCH)) == expected


def test_a_landscape_multiplies_all_but_its_first_layer_at_every_point():
    assert counted(landscape_products(WIDTHS, 10, at_once=2, rows=5)) == 2 * 2 * 10 * (5 * 4 + 4 * 3)


@pytest.mark.parametrize("block", [3, 100])
def test_neighbors_need_every_pair_of_points(block):
    assert counted(neighbor_products(9, 4, block)) == 2 * 9 * 9 * 4
