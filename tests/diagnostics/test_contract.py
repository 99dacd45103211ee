"""Every diagnostic there is, own or installed, keeps the shared contract."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

from repviz.callbacks.diagnostic import callback_for
from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier
from repviz.diagnostics.registry import diagnostic_classes
from repviz.snapshot import Rows
from tests import contract

FEWER = {
    "projection": {"n_epochs": 20, "n_epochs_next": 10},
    "landscape": {"resolution": 5},
    "surface": {"resolution": 9},
    "interpolation": {"pairs": 6},
}
"""Settings with which a kind takes a second; whoever is not named, or has no such setting, runs with its defaults."""
EDGES = ("one layer", "one class", "two points", "no val points", "one point", "constant layer")


@pytest.fixture(scope="module")
def data(packages):
    return contract.real_data(packages, n_train=180, n_val=60, n_excluded=12)


@pytest.fixture(scope="module")
def network():
    return contract.make_network()


@pytest.fixture(params=list(diagnostic_classes()))
def diagnostic(request) -> Diagnostic:
    found = diagnostic_classes()[request.param]
    names = {field.name for field in dataclasses.fields(found)}
    return found(**{name: value for name, value in FEWER.get(request.param, {}).items() if name in names})


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_settings_have_defaults_types_and_help(diagnostic):
    contract.check_settings(type(diagnostic))
    assert callback_for(type(diagnostic), "SomeCallback")().diagnostic == type(diagnostic)()


def test_epochs_one_after_the_other(diagnostic, data, network, tmp_path):
    whole, sample = data
    datasets, earlier = [], NOTHING_EARLIER
    network = contract.make_network()
    for epoch in range(3):
        with contract.looking(network, sample, whole, epoch) as snapshot:
            dataset = contract.check_looks_only(diagnostic, snapshot, earlier)
            xr.testing.assert_identical(dataset, diagnostic.compute(snapshot, earlier))
        contract.check_labelled(dataset)
        stored = contract.check_survives_the_disk(diagnostic, dataset, tmp_path, epoch)
        contract.check_draws(diagnostic.kind, stored)
        datasets.append(stored)
        assert set(dataset.variables) == set(datasets[0].variables)
        first = datasets[0] if diagnostic.chain in ("first", "both") else None
        earlier = Earlier(first, stored if diagnostic.chain in ("previous", "both") else None)
        contract.train(network, whole["train"], steps=3)
    contract.check_draws_over_epochs(diagnostic.kind, datasets)
    assert bool(contract.check_key_numbers(diagnostic, stored)) == bool(diagnostic.key_variables)
    changing = [name for name, found in datasets[2].data_vars.items() if not found.equals(datasets[1][name])]
    assert changing, "the network has changed, and no number has"


@pytest.mark.parametrize("edge", EDGES)
def test_hardly_anything_to_look_at(diagnostic, data, network, tmp_path, edge):
    whole, sample = data
    if edge in ("two points", "one point"):
        sample = contract.part_of(sample, np.array([0, 180] if edge == "two points" else [0]))
    elif edge == "no val points":
        sample = contract.part_of(sample, np.flatnonzero(sample.split == 0))
    elif edge == "one class":
        sample = contract.part_of(sample, np.arange(len(sample)), np.full(len(sample), 3))
        whole = {name: Rows(rows.inputs, torch.full_like(rows.labels, 3)) for name, rows in whole.items()}
    with contract.looking(network, sample, whole) as snapshot:
        if edge == "one layer":
            snapshot = dataclasses.replace(snapshot, activations={"logits": snapshot.activations["logits"]})
        elif edge == "constant layer":
            dead = torch.full((len(sample), 5), 0.1)
            snapshot = dataclasses.replace(snapshot, activations=dict(snapshot.activations) | {"block1": dead})
        dataset = contract.check_looks_only(diagnostic, snapshot, NOTHING_EARLIER)
    contract.check_labelled(dataset)
    contract.check_key_numbers(diagnostic, dataset)
    contract.check_draws(diagnostic.kind, contract.check_survives_the_disk(diagnostic, dataset, tmp_path))


def test_a_diagnostic_that_touches_something_is_found_out(data, network):
    whole, sample = data

    def weight(model):
        next(model.parameters()).data += 1e-3

    def mode(model):
        model.network.head.train()

    def gradient(model):
        next(model.parameters()).requires_grad_(False)

    def numpy_random(model):
        np.random.rand()

    def torch_random(model):
        torch.rand(1)

    class Meddling(Diagnostic):
        kind = "meddling"

        def __init__(self, act):
            object.__setattr__(self, "act", act)

        def compute(self, snapshot, earlier=NOTHING_EARLIER):
            self.act(snapshot.model)
            return xr.Dataset()

    for act in (weight, mode, gradient, numpy_random, torch_random):
        with (
            contract.looking(contract.make_network(), sample, whole) as snapshot,
            pytest.raises(AssertionError, match="changed"),
        ):
            contract.check_looks_only(Meddling(act), snapshot, NOTHING_EARLIER)
