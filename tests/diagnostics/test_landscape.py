"""The loss on a plane: three ways of evaluation against each other and a plain loop, and closed forms."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from repviz.diagnostics import weight_plane
from repviz.diagnostics.filter_normalization import filter_normalized_directions
from repviz.diagnostics.landscape import Landscape, chosen_points
from repviz.diagnostics.weight_plane import BATCHED, ONE_BY_ONE, VMAP, losses_on_plane, plane_through
from repviz.errors import UserError
from repviz.model.losses import make_criterion
from tests.diagnostics.models import N_CLASSES, look_at, make_inputs, make_mlp

MODELS = {
    "plain": {},
    "concat": {"fusion": "concat"},
    "film": {"fusion": "film"},
    "film residual gelu": {"fusion": "film", "residual": True, "activation": "gelu"},
    "residual of equal width": {"hidden_dims": (7, 7), "residual": True},
    "no layer_norm": {"layer_norm": False},
    "no block": {"hidden_dims": ()},
    "no block concat": {"hidden_dims": (), "fusion": "concat"},
    "one block": {"hidden_dims": (5,)},
}
WEIGHTS = torch.tensor([0.2, 3.0, 1.0, 0.5])
CRITERIA = {
    "cross-entropy": make_criterion(),
    "weighted, smoothed": make_criterion(class_weights=WEIGHTS, label_smoothing=0.1),
    "focal, weighted": make_criterion("focal", 2.0, 0.0, WEIGHTS),
}


def labels_of(n, seed=2):
    return np.random.default_rng(seed).integers(0, N_CLASSES, n)


def by_copies(model, inputs, labels, criterion, directions, points):
    """The obvious way: a copy of the model whose weights are written to, point after point."""
    found = []
    with torch.no_grad():
        for alpha, beta in points.tolist():
            moved = copy.deepcopy(model)
            for name, parameter in moved.named_parameters():
                if name in directions[0]:
                    parameter += alpha * directions[0][name] + beta * directions[1][name]
            found.append(float(criterion(moved(*inputs), labels)))
    return np.array(found)


def grid(n=5, radius=1.0):
    steps = torch.linspace(-radius, radius, n, dtype=torch.float64)
    return torch.cartesian_prod(steps, steps)


def evaluate(model, inputs, labels, criterion, directions, points, ways=weight_plane.WAYS):
    return losses_on_plane(model, (inputs, labels), criterion, plane_through(model, *directions), points, ways)


@pytest.mark.parametrize("way", [BATCHED, VMAP, ONE_BY_ONE])
@pytest.mark.parametrize(("chunk", "n_rows"), [(1, 7), (4, 256), (256, 4096)])
def test_how_much_is_evaluated_at_a_time_does_not_matter(monkeypatch, way, chunk, n_rows):
    model, inputs, labels = make_mlp(), make_inputs(33, 1), torch.from_numpy(labels_of(33))
    directions = filter_normalized_directions(dict(model.named_parameters()), 3)
    monkeypatch.setattr(weight_plane, "at_once", lambda *_: (chunk, n_rows))
    found, taken = evaluate(model, inputs, labels, make_criterion(), directions, grid(), (way,))
    assert taken == way
    np.testing.assert_allclose(found, by_copies(model, inputs, labels, make_criterion(), directions, grid()), rtol=1e-5)


def test_a_gpu_gets_as_much_at_a_time_as_its_share_of_memory_holds():
    gpu = torch.device("cuda")
    small = {"weight": torch.zeros(512, 384), "bias": torch.zeros(512), "scalar": torch.zeros(())}
    assert weight_plane.at_once(torch.device("cpu"), 10_000, small) == (4, 256)
    assert weight_plane.at_once(gpu, 1024, small) == (256, 1024)
    large = {"weight": torch.zeros(2**26)}  # 256 MiB, and as wide as that
    assert weight_plane.at_once(gpu, 10_000, large) == (1, 4096)
    chunk, rows = weight_plane.at_once(gpu, 1024, {"weight": torch.zeros(2048, 4096)})
    assert chunk * (2048 * 4096 + rows * 2048) * 4 <= 2**30 < (chunk + 1) * (2048 * 4096 + rows * 2048) * 4


@pytest.mark.parametrize("name", MODELS)
def test_every_way_gives_the_numbers_of_a_plain_loop(name):
    model = make_mlp(**MODELS[name])
    inputs = make_inputs(33, 1 if MODELS[name].get("fusion") is None else 2)
    labels = torch.from_numpy(labels_of(33))
    directions = filter_normalized_directions(dict(model.named_parameters()), 3)
    for criterion in CRITERIA.values():
        expected = by_copies(model, inputs, labels, criterion, directions, grid())
        assert np.ptp(expected) > 0.1
        for way in (BATCHED, VMAP, ONE_BY_ONE):
            losses, took = evaluate(model, inputs, labels, criterion, directions, grid(), [way])
            assert took == way
            np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5, err_msg=way)


@pytest.mark.parametrize("way", [BATCHED, VMAP])
def test_biases_and_norms_may_move_as_well(way):
    model = make_mlp(fusion="film", residual=True)
    inputs, labels = make_inputs(20), torch.from_numpy(labels_of(20))
    generator = torch.Generator().manual_seed(0)
    directions = [
        {name: 0.3 * torch.randn(p.shape, generator=generator) for name, p in model.named_parameters()} for _ in "ab"
    ]
    losses, took = evaluate(model, inputs, labels, CRITERIA["cross-entropy"], directions, grid(), [way])
    assert took == way
    expected = by_copies(model, inputs, labels, CRITERIA["cross-entropy"], directions, grid())
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5)


def test_rows_in_blocks_are_all_of_them(monkeypatch):
    monkeypatch.setattr(weight_plane, "_ROWS", 8)
    model, inputs, labels = make_mlp(), make_inputs(33, 1), torch.from_numpy(labels_of(33))
    directions = filter_normalized_directions(dict(model.named_parameters()), 3)
    criterion = CRITERIA["focal, weighted"]
    losses, took = evaluate(model, inputs, labels, criterion, directions, grid())
    assert took == BATCHED
    expected = by_copies(model, inputs, labels, criterion, directions, grid())
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5)


class Convolutional(nn.Module):
    """Weights in a convolution: not for batched linear layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv1d(1, 3, 3), nn.Linear(15, N_CLASSES)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x[:, None])).flatten(1))


class Branching(Convolutional):
    """Looks at a value: cannot be mapped either."""

    def forward(self, x):
        out = super().forward(x)
        return out * 2 if self.head.weight.sum().item() > 1e9 else out


class Centred(nn.Sequential):
    """Its rows see each other: repeated rows would see those of other points."""

    def forward(self, x):
        hidden = torch.relu(self[0](x))
        return self[1](hidden - hidden.mean(0))


class OnTheQuiet(nn.Sequential):
    """Keeps autograd from seeing that its second layer's input depends on weights."""

    def forward(self, x):
        with torch.no_grad():
            hidden = torch.relu(self[0](x))
        return self[1](hidden)


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (Convolutional, VMAP),
        (Branching, ONE_BY_ONE),
        (lambda: Centred(nn.Linear(7, 6), nn.Linear(6, N_CLASSES)), VMAP),
        (lambda: OnTheQuiet(nn.Linear(7, 6), nn.Linear(6, N_CLASSES)), VMAP),
        (lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(7, 6)), nn.Linear(6, N_CLASSES)), VMAP),
        (lambda: nn.Sequential(nn.Linear(7, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, N_CLASSES)), BATCHED),
    ],
)
def test_any_module_is_evaluated_as_it_can_be(make, way):
    torch.manual_seed(0)
    model, inputs, labels = make().eval(), make_inputs(20, 1), torch.from_numpy(labels_of(20))
    directions = filter_normalized_directions(dict(model.named_parameters()), 0)
    losses, took = evaluate(model, inputs, labels, CRITERIA["cross-entropy"], directions, grid())
    assert took == way
    expected = by_copies(model, inputs, labels, CRITERIA["cross-entropy"], directions, grid())
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-5)


def test_a_criterion_that_cannot_be_mapped():
    def stubborn(logits, labels):
        return nn.functional.cross_entropy(logits, labels) * (2 if logits.sum().item() > 0 else 1)

    model, inputs, labels = make_mlp(), make_inputs(20, 1), torch.from_numpy(labels_of(20))
    directions = filter_normalized_directions(dict(model.named_parameters()), 3)
    losses, _ = evaluate(model, inputs, labels, stubborn, directions, grid())
    np.testing.assert_allclose(losses, by_copies(model, inputs, labels, stubborn, directions, grid()), rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_directions_are_filter_normalised_orthogonal_and_leave_biases_and_norms(name):
    weights = dict(make_mlp(**MODELS[name]).named_parameters())
    first, second = filter_normalized_directions(weights, 0)
    assert set(first) == set(second) == {n for n, w in weights.items() if w.ndim == 2}
    assert not any("bias" in n or "norm" in n for n in first)
    for n in first:
        for direction in (first, second):
            torch.testing.assert_close(direction[n].norm(dim=1), weights[n].detach().norm(dim=1))
        assert (first[n] * second[n]).sum(1).abs().max() < 1e-5


def test_directions_are_steady_and_zero_filters_do_no_harm():
    weights = {n: w.detach().clone() for n, w in make_mlp().named_parameters()}
    first, second = filter_normalized_directions(weights, 0)
    later = {n: w * torch.linspace(0, 3, len(w)).view(-1, *[1] * (w.ndim - 1)) for n, w in weights.items()}
    for before, after in zip((first, second), filter_normalized_directions(later, 0), strict=True):
        for n in before:
            assert torch.isfinite(after[n]).all()
            assert (after[n][0] == 0).all()
            cosine = nn.functional.cosine_similarity(before[n][1:], after[n][1:], dim=1)
            torch.testing.assert_close(cosine, torch.ones_like(cosine))
    other, _ = filter_normalized_directions(weights, 1)
    assert all(not torch.allclose(other[n], first[n]) for n in first)


def test_a_filter_of_one_weight_has_no_second_direction():
    first, second = filter_normalized_directions({"weight": torch.tensor([[2.0], [-3.0]])}, 0)
    torch.testing.assert_close(first["weight"].abs(), torch.tensor([[2.0], [3.0]]))
    assert (second["weight"] == 0).all()


def test_a_quadratic_loss_has_a_quadratic_landscape():
    """Squared error of a linear model: the grid is c + g·t + t·H·t with gradient and Hessian from autograd."""
    model = nn.Linear(7, N_CLASSES).double()
    inputs = (make_inputs(40, 1)[0].double(),)
    labels = labels_of(40)

    def criterion(logits, targets):
        return (logits - nn.functional.one_hot(targets, N_CLASSES)).square().mean()

    snapshot = look_at(model, inputs, labels, np.zeros(40), criterion=criterion)
    dataset = Landscape(resolution=7, radius=2).compute(snapshot)
    first, second = filter_normalized_directions(dict(model.named_parameters()), 0)

    def on_plane(t):
        weight = model.weight + t[0] * first["weight"] + t[1] * second["weight"]
        return criterion(nn.functional.linear(inputs[0], weight, model.bias), torch.from_numpy(labels))

    origin = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(on_plane(origin), origin)[0].numpy()
    curvature = torch.autograd.functional.hessian(on_plane, origin).numpy()
    a, b = np.meshgrid(dataset["alpha"], dataset["beta"], indexing="ij")
    t = np.stack([a, b], -1)
    expected = on_plane(origin).item() + t @ slope + 0.5 * np.einsum("abi,ij,abj->ab", t, curvature, t)
    np.testing.assert_allclose(dataset["loss"].sel(split="train"), expected, rtol=1e-10)


def test_the_dataset_of_train_and_val_with_cuts_and_centre():
    model, n = make_mlp(fusion="film"), 90
    labels = labels_of(n)
    labels[-9:] = -1
    before = {name: value.clone() for name, value in model.state_dict().items()}
    criterion = CRITERIA["weighted, smoothed"]
    snapshot = look_at(model, make_inputs(n), labels, criterion=criterion)
    dataset = Landscape(resolution=5, n_points=50).compute(snapshot)
    assert dataset["loss"].dims == ("split", "alpha", "beta")
    assert list(dataset["split"].values) == ["train", "val"]
    assert list(dataset["n_rows"].values) == [50, 27]
    np.testing.assert_allclose(dataset["alpha"], [-1, -0.5, 0, 0.5, 1])
    for code, split in enumerate(("train", "val")):
        rows = chosen_points(snapshot.sample, code, 50, 0)
        loss = criterion(snapshot.logits[rows], torch.from_numpy(labels[rows])).item()
        of_split = dataset.sel(split=split)
        assert float(of_split["center_loss"]) == pytest.approx(loss, rel=1e-6)
        assert float(of_split["loss"].sel(alpha=0, beta=0)) == pytest.approx(loss, rel=1e-5)
        np.testing.assert_array_equal(of_split["cut_alpha"], of_split["loss"].sel(beta=0))
        np.testing.assert_array_equal(of_split["cut_beta"], of_split["loss"].sel(alpha=0))
    assert dataset.attrs["evaluation"] == BATCHED
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_points_are_of_the_split_labelled_and_fixed():
    labels = labels_of(300)
    labels[:20] = -1
    sample = look_at(make_mlp(), make_inputs(300, 1), labels).sample
    rows = chosen_points(sample, 1, 40, 0)
    assert len(rows) == 40
    assert (sample.split[rows] == 1).all()
    assert (labels[rows] >= 0).all()
    np.testing.assert_array_equal(rows, chosen_points(sample, 1, 40, 0))
    assert not np.array_equal(rows, chosen_points(sample, 1, 40, 1))


def test_losses_that_are_not_finite_stay_so_and_are_counted():
    def overflowing(logits, labels):
        loss = nn.functional.cross_entropy(logits, labels)
        return torch.where(loss > 1.8, torch.inf, loss)

    snapshot = look_at(make_mlp(), make_inputs(60, 1), labels_of(60), criterion=overflowing)
    dataset = Landscape(resolution=9).compute(snapshot)
    plain = Landscape(resolution=9).compute(look_at(make_mlp(), make_inputs(60, 1), labels_of(60)))
    over = plain["loss"].values > 1.8
    assert 0 < over.mean() < 1
    np.testing.assert_array_equal(np.isinf(dataset["loss"].values), over)
    np.testing.assert_allclose(dataset["finite_share"], 1 - over.mean(axis=(1, 2)))


def test_a_split_without_points_is_nan_and_a_diverged_network_an_error():
    model = make_mlp()
    dataset = Landscape(resolution=3).compute(look_at(model, make_inputs(10, 1), labels_of(10), np.zeros(10)))
    assert np.isnan(dataset["loss"].sel(split="val")).all()
    assert np.isfinite(dataset["loss"].sel(split="train")).all()
    assert list(dataset["n_rows"].values) == [10, 0]
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"head\.weight"):
        Landscape(resolution=3).compute(look_at(model, make_inputs(10, 1), labels_of(10)))


@pytest.mark.parametrize("settings", [{"resolution": 4}, {"resolution": 1}, {"radius": 0.0}, {"n_points": 0}])
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=f"landscape.{next(iter(settings))}"):
        Landscape(**settings)


def test_without_a_model_the_way_out_is_said():
    snapshot = look_at(make_mlp(), make_inputs(10, 1), labels_of(10))
    object.__setattr__(snapshot, "model", None)
    with pytest.raises(UserError, match="only activations"):
        Landscape().compute(snapshot)
