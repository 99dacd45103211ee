"""Shapley values of two inputs: closed forms, the definition by orders, and inputs that are noise."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from repviz.callbacks.looking import compute_and_store
from repviz.diagnostics import fusion
from repviz.diagnostics.fusion import Fusion, modulation, shapley_values, shuffles
from repviz.errors import UserError
from repviz.model.mlp import MLP
from repviz.snapshot import Rows
from repviz.store import artifacts
from tests.diagnostics.models import look_at, make_inputs, make_mlp

SIGNS = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2)) * 100)
"""Every combination of two signs, equally often."""


class Rule(nn.Module):
    """Two classes by the sign of a rule of both inputs."""

    def __init__(self, rule: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        value = self.rule(first, second)
        return torch.cat([-value, value], dim=1)


class Wrapping(nn.Module):
    """A network inside another module, as in a LightningModule."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.network(*inputs)


def game(rule, **settings):
    """The dataset of a model that knows the rule by which its rows are labelled."""
    inputs = SIGNS[:, :1], SIGNS[:, 1:]
    labels = (rule(*inputs)[:, 0] > 0).long()
    snapshot = look_at(Rule(rule), inputs, labels.numpy(), np.ones(len(labels)), n_classes=2)
    return Fusion(**settings).compute(snapshot)


def labels_of(n, seed=2):
    return np.random.default_rng(seed).integers(0, 4, n)


@pytest.mark.parametrize(
    ("rule", "accuracy", "shapley"),
    [
        (lambda a, b: a, [0.5, 1, 0.5, 1], [0.5, 0]),
        (lambda a, b: b, [0.5, 0.5, 1, 1], [0, 0.5]),
        (lambda a, b: a * b, [0.5, 0.5, 0.5, 1], [0.25, 0.25]),  # neither says anything alone
    ],
    ids=["first", "second", "exclusive or"],
)
def test_games_whose_answer_is_known(rule, accuracy, shapley):
    exact = game(rule, reference="mean")
    np.testing.assert_array_equal(exact["accuracy"], accuracy)
    np.testing.assert_array_equal(exact["shapley"], shapley)
    shuffled = game(rule, repeats=40)
    np.testing.assert_allclose(shuffled["accuracy"], accuracy, atol=0.02)
    np.testing.assert_allclose(shuffled["shapley"], shapley, atol=0.02)


def test_and_is_shared_by_both():
    # none: label and guess are independent, each true for 1/4 of the rows; one: right where it is negative, else half
    found = game(lambda a, b: torch.minimum(a, b), repeats=40)
    none, one, both = 5 / 8, 3 / 4, 1.0
    np.testing.assert_allclose(found["accuracy"], [none, one, one, both], atol=0.02)
    np.testing.assert_allclose(found["shapley"], [(both - none) / 2] * 2, atol=0.02)


def test_the_values_are_the_mean_gain_over_all_orders_and_sum_to_the_whole():
    worth = np.random.default_rng(0).normal(size=(4, 50))
    by_set = dict(zip([(), (0,), (1,), (0, 1)], worth, strict=True))
    gains = {0: [], 1: []}
    for order in itertools.permutations((0, 1)):
        for place, player in enumerate(order):
            before, after = tuple(sorted(order[:place])), tuple(sorted(order[: place + 1]))
            gains[player].append(by_set[after] - by_set[before])
    expected = [np.mean(gains[player], axis=0) for player in (0, 1)]
    np.testing.assert_allclose(shapley_values(worth), expected)
    np.testing.assert_allclose(shapley_values(worth).sum(0), worth[3] - worth[0])


@pytest.mark.parametrize("reference", ["shuffle", "mean"])
def test_a_network_is_evaluated_on_the_val_rows_that_have_a_class(reference):
    model, inputs, labels = make_mlp(fusion="film"), make_inputs(300), labels_of(300)
    train, val = (tuple(x[part] for x in inputs) for part in (slice(0, 200), slice(200, None)))
    labels[[205, 299]] = -1
    snapshot = look_at(model, (inputs[0][:9], inputs[1][:9]), labels[:9])
    whole = {"train": Rows(train, torch.from_numpy(labels[:200])), "val": Rows(val, torch.from_numpy(labels[200:]))}
    dataset = Fusion(reference=reference, repeats=1).compute(dataclasses.replace(snapshot, whole=whole))
    assert (dataset.attrs["evaluated_on"], dataset.attrs["evaluated_rows"]) == ("whole val set", 98)
    there = labels[200:] >= 0
    first, second = (x[there] for x in val)
    if reference == "mean":
        away = [x.mean(0, keepdim=True).expand(98, -1) for x in train]
        assert dataset.attrs["reference"] == "the mean of the training rows"
    else:
        order = shuffles(98, 1, 0)[0]
        away = [first[order], second[order]]
        assert "1 shuffles" in dataset.attrs["reference"]
    worth = []
    for pair in ((away[0], away[1]), (first, away[1]), (away[0], second), (first, second)):
        with torch.no_grad():
            worth.append((model(*pair).argmax(1).numpy() == labels[200:][there]).mean())
    np.testing.assert_allclose(dataset["accuracy"], worth)
    np.testing.assert_allclose(dataset["shapley"].sum(), worth[3] - worth[0])


def test_what_stands_for_the_val_set():
    model, inputs, labels = make_mlp(fusion="concat"), make_inputs(60), labels_of(60)
    labels[2] = -1
    on_val = Fusion().compute(look_at(model, inputs, labels)).attrs
    assert (on_val["evaluated_on"], on_val["evaluated_rows"]) == ("val points of the sample", 19)
    snapshot = look_at(model, inputs, labels, np.zeros(60))
    on_all = Fusion(reference="mean").compute(snapshot).attrs
    assert (on_all["evaluated_on"], on_all["evaluated_rows"]) == ("all points of the sample", 59)
    assert on_all["reference"] == "the mean of the sample's train points"
    nothing = Fusion().compute(look_at(model, inputs, np.full(60, -1)))
    assert np.isnan(nothing["shapley"]).all()
    assert np.isnan(nothing["accuracy"]).all()


@pytest.mark.parametrize("how", ["concat", "film"])
def test_a_shuffled_modality_reads_about_zero_and_an_informative_one_does_not(how):
    n, n_train = 3000, 1500
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, n)
    centers = random.normal(size=(4, 7))
    embeddings = torch.tensor(0.8 * centers[labels] + random.normal(size=(n, 7)), dtype=torch.float32)
    told = torch.tensor(np.eye(4)[labels][:, :3] + 0.5 * random.normal(size=(n, 3)), dtype=torch.float32)
    shares = {}
    for name, tabular in (("informative", told), ("shuffled", told[torch.from_numpy(random.permutation(n))])):
        rows = [
            Rows((embeddings[p], tabular[p]), torch.from_numpy(labels[p])) for p in np.split(np.arange(n), [n_train])
        ]
        model = trained(rows[0], how)
        snapshot = look_at(model, tuple(x[:9] for x in rows[0].inputs), labels[:9])
        dataset = Fusion().compute(dataclasses.replace(snapshot, whole={"val": rows[1]}))
        shares[name] = dataset["shapley"].values
        error = dataset["shapley_error"].values
        assert shares[name][0] > 0.2
        assert (error < 0.02).all()
    assert abs(shares["shuffled"][1]) < 3 * error[1]
    assert shares["informative"][1] > 0.1


def trained(rows: Rows, how: str) -> nn.Module:
    """A small network that has had time to over-fit."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MLP(7, 4, (32, 16), n_tabular=3, fusion=how, dropout=0.0)
        optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
        for _ in range(15):
            for part in torch.randperm(len(rows.labels)).split(100):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(*(x[part] for x in rows.inputs)), rows.labels[part]).backward()
                optimizer.step()
    return model.eval()


def test_the_error_is_the_spread_over_other_val_sets():
    model, inputs = make_mlp(fusion="concat"), make_inputs(8000)
    with torch.no_grad():
        labels = model(*inputs).argmax(1)
    labels[torch.rand(8000, generator=torch.Generator().manual_seed(0)) < 0.3] = 0
    found = []
    for part in torch.arange(8000).split(200):
        snapshot = look_at(model, tuple(x[part] for x in inputs), labels[part].numpy(), np.ones(200))
        found.append(Fusion().compute(snapshot))
    spread = np.std([d["shapley"] for d in found], axis=0, ddof=1)
    mean_error = np.mean([d["shapley_error"] for d in found], axis=0)
    np.testing.assert_allclose(mean_error, spread, rtol=0.35)


def test_every_row_gets_another_rows_input():
    for order in shuffles(50, 6, 3):
        assert sorted(order.tolist()) == list(range(50))
        assert (order.numpy() != np.arange(50)).all()
    assert not torch.equal(*shuffles(50, 2, 3))
    assert torch.equal(shuffles(50, 1, 3)[0], shuffles(50, 1, 3)[0])
    assert [order.tolist() for order in shuffles(1, 2, 0)] == [[0], [0]]


def test_the_size_of_film_is_that_of_its_parameters(monkeypatch):
    model, inputs = make_mlp(fusion="film"), make_inputs(50)
    monkeypatch.setattr(fusion, "_BATCH", 16)
    dataset = Fusion().compute(look_at(Wrapping(model), inputs, labels_of(50), np.ones(50)))
    with torch.no_grad():
        pairs = model.film_parameters(inputs[1])
    np.testing.assert_allclose(dataset["gamma_norm"], [g.square().mean().sqrt() for g, _ in pairs], rtol=1e-5)
    np.testing.assert_allclose(dataset["beta_norm"], [b.square().mean().sqrt() for _, b in pairs], rtol=1e-5)
    assert list(dataset["block"].values) == ["block1", "block2"]
    for model in (make_mlp(fusion="concat"), nn.Linear(3, 2)):
        assert [len(found) for found in modulation(model, inputs[1])] == [0, 0]
    assert Fusion().compute(look_at(make_mlp(fusion="concat"), inputs, labels_of(50))).sizes["block"] == 0


def test_a_network_of_one_input_is_refused_and_the_run_says_why(tmp_path):
    snapshot = look_at(make_mlp(), make_inputs(30, 1), labels_of(30))
    with pytest.raises(UserError, match="this network takes 1"):
        Fusion().compute(snapshot)
    assert not compute_and_store(Fusion(), snapshot, tmp_path)
    assert "this network takes 1" in artifacts.errors(tmp_path, "fusion")[0]["message"]
    assert Fusion().inapplicable(snapshot.sample) == artifacts.errors(tmp_path, "fusion")[0]["message"]
    with pytest.raises(UserError, match="fusion must run the model"):
        Fusion().compute(dataclasses.replace(snapshot, model=None))


@pytest.mark.parametrize("settings", [{"reference": "zero"}, {"repeats": 0}, {"seed": -1}])
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=rf"fusion\.{next(iter(settings))}"):
        Fusion(**settings)
