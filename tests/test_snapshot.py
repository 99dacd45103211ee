"""Looking changes nothing, and sees what the network really computes."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from repviz.errors import UserError
from repviz.snapshot import capture, isolated_random_state, observing


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))


def test_modes_weights_and_random_state_are_as_before(network):
    network.train()
    network[1].eval()  # a frozen part
    network[0].weight.requires_grad_(False)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    threads = torch.get_num_threads()
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    with observing(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()
        capture(network, {"logits": network[4]}, [torch.randn(20, 5)])
        random.random(), np.random.rand(), torch.rand(1)
        torch.set_num_threads(threads + 1)  # as numba's OpenMP layer does when it starts
    assert [module.training for module in network] == [True, False, True, True, True]
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    assert not network[0].weight.requires_grad
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])


def test_everything_is_restored_after_an_exception(network):
    network.train()
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), observing(network):
        torch.rand(3)
        raise RuntimeError
    assert network.training
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(RuntimeError):  # a wrong width, deep inside the forward
        capture(network, {"hidden": network[0]}, [torch.randn(4, 6)])
    assert not network[0]._forward_hooks


def test_activations_are_those_of_the_forward_pass_whatever_the_batches(network):
    x = torch.randn(50, 5)
    sites = {"input": None, "hidden": network[2], "same": network[2], "logits": network[4]}
    with observing(network):
        expected = network[2](network[1](network[0](x)))
        whole, logits = capture(network, sites, [x], batch_size=50)
        parts, _ = capture(network, sites, [x], batch_size=7)
        torch.testing.assert_close(whole["hidden"], expected)
        torch.testing.assert_close(logits, network(x))
    assert list(whole) == list(sites)
    assert torch.equal(whole["input"], x)
    assert whole["same"] is whole["hidden"]
    for name in sites:
        torch.testing.assert_close(parts[name], whole[name])


def test_random_state_is_private_while_isolated():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with isolated_random_state():
        torch.manual_seed(99)
        random.seed(5)
    assert torch.equal(torch.rand(2), expected)


class Strange(nn.Module):
    """Some of its parts give what is no row for each point."""

    def __init__(self):
        super().__init__()
        self.turned, self.lonely, self.idle, self.late = nn.Identity(), nn.Identity(), nn.Identity(), nn.Identity()
        self.pair, self.twice, self.flat = Pair(), nn.Linear(5, 5), nn.Identity()

    def forward(self, x):
        self.turned(x.T)
        self.lonely(x[:1])
        self.pair(x)
        self.flat(x[:, 0])
        if len(x) < 16:
            self.late(x)
        return self.twice(self.twice(x))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("turned", r"layer 'a' or 'b' gives a tensor \(5, 16\) for 16 points"),
        ("lonely", r"gives a tensor \(1, 5\) for 16 points; needed is a row for each"),
        ("pair", r"layer 'a' or 'b' gives a tuple for 16 points"),
        ("idle", r"layer 'a' or 'b' does not run"),
        ("late", r"layer 'a' or 'b' does not run"),
    ],
)
def test_a_part_that_gives_no_row_for_each_point_is_named(part, said):
    model = Strange()
    site = getattr(model, part)
    with observing(model), pytest.raises(UserError, match=said):
        capture(model, {"input": None, "a": site, "b": site}, [torch.randn(20, 5)], batch_size=16)
    assert not site._forward_hooks


def test_of_a_part_that_runs_twice_the_last_output_and_of_a_single_number_a_column():
    model, x = Strange(), torch.randn(20, 5)
    with observing(model):
        found, logits = capture(model, {"twice": model.twice, "flat": model.flat}, [x], batch_size=16)
        torch.testing.assert_close(found["twice"], model.twice(model.twice(x)))
    torch.testing.assert_close(found["twice"], logits)
    assert torch.equal(found["flat"], x[:, :1])


def test_what_is_kept_is_of_single_precision_whatever_torch_makes_by_itself(network):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with observing(network):
            found, logits = capture(network, {"hidden": network[2]}, [torch.randn(20, 5)])
    finally:
        torch.set_default_dtype(before)
    assert {found["hidden"].dtype, logits.dtype} == {torch.float32}
