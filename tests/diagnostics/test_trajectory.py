"""The optimiser's path: closed forms, what is left out, and the contract that diagnostics keep."""

import copy
import functools
from collections.abc import Mapping

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from repviz.diagnostics.registry import diagnostic_classes, run_diagnostic_classes
from repviz.diagnostics.trajectory import Trajectory, evenly_spaced
from repviz.errors import UserError
from tests import contract
from tests.diagnostics.models import N_CLASSES, look_at, make_inputs, make_mlp

FEW = Trajectory(resolution=5)


def labels_of(n, seed=2):
    return np.random.default_rng(seed).integers(0, N_CLASSES, n)


def descend(model, inputs, labels, epochs, criterion=nn.functional.cross_entropy):
    """A checkpoint before each of so many steps of gradient descent, and after the last."""
    model, found = copy.deepcopy(model), {}
    optimizer = torch.optim.SGD(model.parameters(), 0.3)
    for epoch in range(epochs + 1):
        found[epoch] = {name: value.clone() for name, value in model.state_dict().items()}
        optimizer.zero_grad()
        criterion(model(*inputs), torch.from_numpy(labels)).backward()
        optimizer.step()
    return found


def snapshot_of(model, checkpoints, inputs, labels, **settings):
    model = copy.deepcopy(model)
    model.load_state_dict(list(checkpoints.values())[-1])
    return look_at(model, inputs, labels, **settings)


@pytest.fixture(scope="module")
def descent():
    model, inputs, labels = make_mlp(fusion="film"), make_inputs(60), labels_of(60)
    checkpoints = descend(model, inputs, labels, 6)
    return model, inputs, labels, checkpoints, snapshot_of(model, checkpoints, inputs, labels)


def in_a_plane(model, coordinates):
    """Checkpoints at these coordinates of two orthogonal directions of length 1 through the model's weights."""
    generator = torch.Generator().manual_seed(5)
    sizes = [p.numel() for p in model.parameters()]
    first, second = torch.linalg.qr(torch.randn(sum(sizes), 2, generator=generator, dtype=torch.float64)).Q.T
    found = {}
    for epoch, (a, b) in enumerate(coordinates):
        steps = (a * first + b * second).split(sizes)
        named = zip(model.named_parameters(), steps, strict=True)
        found[epoch] = {name: (p + step.view_as(p)).detach() for (name, p), step in named}
    return found


def test_a_path_in_a_plane_over_a_quadratic_loss():
    """Squared error of a linear model: on the plane the loss is what NumPy says, and nothing is off it."""
    model, inputs, labels = nn.Linear(7, N_CLASSES).double(), (make_inputs(40, 1)[0].double(),), labels_of(40)

    def criterion(logits, targets):
        return (logits - nn.functional.one_hot(targets, N_CLASSES)).square().mean()

    there = np.array([[-6.0, 1.0], [-4.0, -2.0], [-1.0, -1.5], [0.5, 0.5], [0.0, 0.0]])
    checkpoints = in_a_plane(model, there)
    snapshot = snapshot_of(model, checkpoints, inputs, labels, split=np.zeros(40), criterion=criterion)
    dataset = Trajectory(resolution=7).compute_run(checkpoints, snapshot)
    np.testing.assert_allclose(dataset["off_plane_distance"], 0, atol=1e-6)
    np.testing.assert_allclose(dataset["explained_variance_ratio"].sum(), 1, rtol=1e-12)
    path = dataset["path"].values
    apart = np.linalg.norm(there[:, None] - there[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(path[:, None] - path[None], axis=2), apart, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dataset["distance"], np.linalg.norm(there, axis=1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dataset["plane_loss"], dataset["true_loss"], rtol=1e-9)

    # the plane's coordinates in terms of the checkpoints, so that every grid point's weights are known
    flat = np.stack([np.concatenate([w.numpy().ravel() for w in c.values()]) for c in checkpoints.values()])
    directions = np.linalg.lstsq(path, flat - flat[-1], rcond=None)[0]
    x, y = inputs[0].numpy(), np.eye(N_CLASSES)[labels]
    for alpha in dataset["alpha"].values:
        for beta in dataset["beta"].values:
            moved = flat[-1] + np.array([alpha, beta]) @ directions
            weight, bias = moved[: 7 * N_CLASSES].reshape(N_CLASSES, 7), moved[7 * N_CLASSES :]
            expected = np.square(x @ weight.T + bias - y).mean()
            assert float(dataset["loss"].sel(alpha=alpha, beta=beta)) == pytest.approx(expected, rel=1e-9)


def test_the_grid_holds_the_path_and_its_margin(descent):
    *_, checkpoints, snapshot = descent
    dataset = Trajectory(resolution=9, margin=0.5).compute_run(checkpoints, snapshot)
    path = dataset["path"].values
    extent = np.ptp(path, axis=0)
    for axis, name in enumerate(("alpha", "beta")):
        steps = dataset[name].values
        assert len(steps) == 9
        wanted = max(extent[axis], 0.25 * extent.max())
        assert steps[-1] - steps[0] == pytest.approx(2 * wanted, rel=1e-9)
        assert steps[0] < path[:, axis].min()
        assert steps[-1] > path[:, axis].max()


def test_true_losses_are_those_of_the_checkpoints_and_the_plane_passes_through_the_last(descent):
    model, _, labels, checkpoints, snapshot = descent
    dataset = FEW.compute_run(checkpoints, snapshot)
    moved = copy.deepcopy(model)
    for epoch, weights in checkpoints.items():
        moved.load_state_dict(weights)
        with torch.no_grad():
            logits = moved(*snapshot.sample.inputs)
        for code, name in enumerate(("true_loss", "true_val_loss")):
            rows = snapshot.sample.split == code
            expected = nn.functional.cross_entropy(logits[rows], torch.from_numpy(labels[rows]))
            assert float(dataset[name].sel(epoch=epoch)) == pytest.approx(float(expected), rel=1e-6)
    last = dataset.isel(epoch=-1)
    assert float(last["off_plane_distance"]) == float(last["distance"]) == 0
    assert float(last["plane_loss"]) == pytest.approx(float(last["true_loss"]), rel=1e-5)
    assert float(last["plane_val_loss"]) == pytest.approx(float(last["true_val_loss"]), rel=1e-5)
    assert dataset["off_plane_distance"].max() > 0.01
    assert np.abs(dataset["plane_loss"] - dataset["true_loss"]).max() > 1e-4
    assert int(dataset["center"]) == 6


@pytest.mark.parametrize("epochs", [[3], [3, 6], [3, 3, 3]])
def test_where_there_is_no_plane_there_is_no_picture_of_one(epochs, descent):
    *_, checkpoints, snapshot = descent
    few = {number: checkpoints[epoch] for number, epoch in enumerate(epochs)}
    dataset = FEW.compute_run(few, snapshot)
    assert dataset["loss"].shape == (5 if epochs == [3, 6] else 1, 1)
    np.testing.assert_allclose(dataset["plane_loss"], dataset["true_loss"], rtol=1e-5)
    np.testing.assert_allclose(dataset["off_plane_distance"], 0, atol=1e-6)
    contract.check_draws("trajectory", dataset)


def test_a_diverged_checkpoint_is_named_and_left_out(descent):
    *_, checkpoints, snapshot = descent
    diverged = {name: value * torch.nan for name, value in checkpoints[6].items()}
    snapshot = copy.copy(snapshot)
    model = copy.deepcopy(snapshot.model)
    model.load_state_dict(diverged)
    object.__setattr__(snapshot, "model", model)
    infinite = {**checkpoints[2], "head.bias": torch.full((4,), torch.inf)}
    dataset = FEW.compute_run({**checkpoints, 2: infinite, 6: diverged}, snapshot)
    assert list(dataset["epoch"].values) == [0, 1, 3, 4, 5]
    assert int(dataset["center"]) == 5
    assert dataset.attrs["checkpoints"] == "5 of 7"
    assert dataset.attrs["evaluation"] == "batched layers"
    assert "epoch 2: NaN or infinite weights (head.bias)" in dataset.attrs["left_out"]
    assert "epoch 6" in dataset.attrs["left_out"]
    assert np.isfinite(dataset["loss"]).all()
    np.testing.assert_allclose(dataset["plane_loss"][-1], dataset["true_loss"][-1], rtol=1e-5)
    with pytest.raises(FloatingPointError, match="epoch 6"):
        FEW.compute_run({6: diverged}, snapshot)


class Reading(Mapping):
    """Checkpoints that note what was read; some have been deleted since."""

    def __init__(self, weights, n, gone=()):
        self.weights, self.n, self.gone, self.read = weights, n, gone, []

    def __getitem__(self, epoch):
        if epoch in self.gone:
            raise KeyError(epoch)
        self.read.append(epoch)
        return self.weights[epoch % len(self.weights)]

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def test_of_a_thousand_checkpoints_some_are_read_first_and_last_always(descent):
    *_, checkpoints, snapshot = descent
    reading = Reading(checkpoints, 1000, gone=[999])
    dataset = Trajectory(resolution=3, max_checkpoints=11).compute_run(reading, snapshot)
    assert reading.read == [0, 100, 200, 300, 400, 500, 599, 699, 799, 899]
    assert list(dataset["epoch"].values) == reading.read
    assert dataset.attrs["left_out"] == "epoch 999: its checkpoint is gone"
    assert evenly_spaced([7, 3, 5], 3) == [3, 5, 7]
    assert evenly_spaced(range(1000), 2) == [0, 999]


class Counting(nn.Module):
    """A parameter that is no floating-point number, one that is frozen, and a statistic that is no parameter."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(7)
        self.head = nn.Linear(7, N_CLASSES)
        counts = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)
        self.counts = nn.ParameterList([counts])
        self.frozen = nn.Parameter(torch.ones(7), requires_grad=False)

    def forward(self, x):
        return self.head(self.norm(x) * self.frozen)


def test_only_floating_point_parameters_span_the_plane_and_statistics_are_each_checkpoints_own():
    torch.manual_seed(0)
    model, inputs, labels = Counting().train(), make_inputs(50, 1), labels_of(50)
    checkpoints = descend(model, inputs, labels, 4)
    checkpoints[1]["counts.0"] += 5
    snapshot = snapshot_of(model.eval(), checkpoints, inputs, labels, split=np.zeros(50))
    dataset = FEW.compute_run(checkpoints, snapshot)
    assert list(dataset["parameter"].values) == ["frozen", "norm.weight", "norm.bias", "head.weight", "head.bias"]
    assert float(dataset["variance_share"].sel(parameter="frozen")) == 0
    model.load_state_dict(checkpoints[1])
    with torch.no_grad():
        expected = float(nn.functional.cross_entropy(model(*inputs), torch.from_numpy(labels)))
    assert float(dataset["true_loss"][1]) == pytest.approx(expected, rel=1e-6)


def test_a_checkpoint_of_another_network_is_named(descent):
    *_, checkpoints, snapshot = descent
    with pytest.raises(UserError, match=r"epoch 9 is of another network: head\.weight is \(3, 9\), here \(4, 9\)"):
        FEW.compute_run({9: {**checkpoints[0], "head.weight": torch.zeros(3, 9)}}, snapshot)
    with pytest.raises(UserError, match=r"head\.bias is not there"):
        FEW.compute_run({9: {k: v for k, v in checkpoints[0].items() if k != "head.bias"}}, snapshot)


@pytest.mark.parametrize(
    "settings", [{"resolution": 1}, {"margin": 0.0}, {"n_points": 0}, {"max_checkpoints": 1}, {"seed": -1}]
)
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=f"trajectory.{next(iter(settings))}"):
        Trajectory(**settings)


def test_the_registry_knows_both_sorts_apart():
    assert run_diagnostic_classes() == {"trajectory": Trajectory}
    assert "trajectory" not in diagnostic_classes()


def test_it_keeps_the_contract(packages, tmp_path):
    contract.check_settings(Trajectory)
    whole, sample = contract.real_data(packages, n_train=90, n_val=30, n_excluded=6)
    network, checkpoints = contract.make_network(), {}
    for epoch in range(3):
        checkpoints[epoch] = {name: value.clone() for name, value in network.state_dict().items()}
        contract.train(network, whole["train"], 2)
    network.load_state_dict(checkpoints[2])
    for edge in (None, "no val points"):
        rows = np.flatnonzero(sample.split == 0) if edge else np.arange(len(sample))
        with contract.looking(network, contract.part_of(sample, rows), whole, 2) as snapshot:
            dataset = contract.check_leaves_alone(snapshot, functools.partial(FEW.compute_run, checkpoints, snapshot))
            xr.testing.assert_identical(dataset, FEW.compute_run(checkpoints, snapshot))
        contract.check_labelled(dataset)
        stored = contract.check_survives_the_disk(FEW, dataset, tmp_path)
        assert np.isnan(stored["val_loss"]).all() == (edge is not None)
        contract.check_draws("trajectory", stored)
