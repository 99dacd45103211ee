"""Probes against scikit-learn's, and what chance and control must read."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import f1_score, recall_score
from sklearn.preprocessing import StandardScaler

from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.probe import C_GRID, Probe, f1_macro, stratified_folds
from repviz.errors import UserError
from tests.diagnostics.snapshots import make_snapshot


@pytest.fixture(scope="module")
def digits():
    points, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(points))[:900]
    split = (np.arange(900) >= 300).astype(np.int8)
    return points[rows].astype(np.float32), labels[rows], split


def at(dataset, name, layer):
    return float(dataset[name].sel(layer=layer))


def test_not_below_scikit_learns_cross_validated_one(digits):
    points, labels, split = digits
    dataset = Probe().compute(make_snapshot({"input": points}, labels, split))
    scaled = StandardScaler().fit(points[split == 0]).transform(points)
    settings = {"Cs": 5, "cv": 5, "max_iter": 1000, "l1_ratios": (0,), "scoring": "accuracy"}
    theirs = LogisticRegressionCV(**settings, use_legacy_attributes=False).fit(scaled[split == 0], labels[split == 0])
    assert at(dataset, "accuracy", "input") >= theirs.score(scaled[split == 1], labels[split == 1]) - 0.005


def test_the_numbers_are_those_of_scikit_learns_fit_of_the_chosen_strength(digits):
    points, labels, split = digits
    train, val = split == 0, split == 1
    dataset = Probe().compute(make_snapshot({"input": points}, labels, split))
    c = at(dataset, "C", "input")
    assert np.isclose(C_GRID, c).any()
    scaled = StandardScaler().fit(points[train]).transform(points)
    theirs = LogisticRegression(C=c, max_iter=5000).fit(scaled[train], labels[train])
    predicted = theirs.predict(scaled[val])
    assert at(dataset, "accuracy", "input") == pytest.approx((predicted == labels[val]).mean(), abs=0.005)
    assert at(dataset, "f1_macro", "input") == pytest.approx(
        f1_score(labels[val], predicted, average="macro"), abs=0.006
    )
    expected = recall_score(labels[val], predicted, average=None)
    np.testing.assert_allclose(dataset["recall"].sel(layer="input"), expected, atol=0.04)
    assert at(dataset, "train_accuracy", "input") == pytest.approx(theirs.score(scaled[train], labels[train]), abs=0.01)
    dummy = DummyClassifier().fit(scaled[train], labels[train])
    assert at(dataset, "chance", "input") == pytest.approx(dummy.score(scaled[val], labels[val]))


def test_noise_reads_chance_signal_does_not_and_the_control_reads_chance_of_both():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 1600)
    centers = np.eye(4, 10)[labels] * 4
    noise = rng.normal(size=(1600, 10))
    dataset = Probe().compute(make_snapshot({"noise": noise, "signal": centers + noise}, labels))
    assert at(dataset, "accuracy", "noise") == pytest.approx(0.25, abs=0.06)
    assert at(dataset, "accuracy", "signal") > 0.95
    for layer in ("noise", "signal"):
        assert at(dataset, "control_accuracy", layer) == pytest.approx(0.25, abs=0.06)
    # the control does not see the labels, though it can learn some by heart
    assert 0.2 < at(dataset, "control_train_accuracy", "signal") < 0.45


def test_a_wide_layer_can_fit_any_labels():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 90)
    wide = rng.normal(size=(90, 400)) + 3 * np.eye(3, 400)[labels]
    dataset = Probe().compute(make_snapshot({"wide": wide}, labels))
    assert at(dataset, "control_train_accuracy", "wide") > 0.95
    assert at(dataset, "control_accuracy", "wide") < 0.7


def test_val_labels_do_not_reach_the_fit(digits):
    points, labels, split = digits
    changed = labels.copy()
    changed[split == 1] = 9 - changed[split == 1]
    one, other = (Probe().compute(make_snapshot({"input": points}, y, split)) for y in (labels, changed))
    for name in ("C", "held_out_accuracy", "train_accuracy", "control_train_accuracy"):
        assert at(one, name, "input") == at(other, name, "input")
    assert at(other, "accuracy", "input") < 0.2 < at(one, "accuracy", "input")


def test_val_points_do_not_reach_the_fit(digits):
    points, labels, split = digits
    moved = np.where(split[:, None] == 1, 9 * points + 100, points)
    one, other = (Probe().compute(make_snapshot({"input": x}, labels, split)) for x in (points, moved))
    for name in ("C", "held_out_accuracy", "train_accuracy", "control_train_accuracy"):
        assert at(one, name, "input") == at(other, name, "input")


def test_the_previous_epoch_only_shortens_the_search(digits):
    points, labels, split = digits
    snapshot = make_snapshot({"input": points, "same": points}, labels, split, epoch=1)
    first = Probe().compute(snapshot)
    again = Probe().compute(snapshot, Earlier(previous=first))
    assert at(again, "C", "input") == at(first, "C", "input")
    assert at(again, "accuracy", "input") == pytest.approx(at(first, "accuracy", "input"), abs=0.005)
    for far in (C_GRID[0], C_GRID[-1]):
        moved = first.assign(C=first["C"] * 0 + far)
        found = Probe().compute(snapshot, Earlier(previous=moved))
        assert at(found, "held_out_accuracy", "input") > at(first, "held_out_accuracy", "input") - 0.03


def test_strong_penalties_that_read_chance_do_not_end_the_search():
    """With one class at 95 %, the strongest penalties all name it, and only weak ones find the other."""
    rng = np.random.default_rng(3)
    labels = (rng.random(600) < 0.05).astype(int)
    points = rng.normal(size=(600, 5)) + 4 * labels[:, None]
    dataset = Probe().compute(make_snapshot({"input": points}, labels))
    assert at(dataset, "accuracy", "input") > at(dataset, "chance", "input") + 0.02


def test_points_without_a_class_and_excluded_ones_take_no_part(digits):
    points, labels, split = (array[:450] for array in digits)
    expected = Probe().compute(make_snapshot({"input": points}, labels, split, n_classes=10))
    more = np.concatenate([points, points[:60] * 9, points[:30] * -5])
    codes = np.concatenate([split, np.full(60, 2), np.zeros(30)])
    classes = np.concatenate([labels, labels[:60], np.full(30, -1)])
    found = Probe().compute(make_snapshot({"input": more}, classes, codes, n_classes=10))
    assert found.equals(expected)


@pytest.mark.parametrize("n_classes", [2, 3, 200])
def test_any_number_of_classes_also_missing_ones(n_classes):
    rng = np.random.default_rng(n_classes)
    labels = rng.integers(0, n_classes, 900)
    split = (np.arange(900) % 3 == 2).astype(np.int8)
    split[labels == 1] = 1  # a class that only val has
    labels[(split == 1) & (labels == 0)] = n_classes - 1  # and one that only train has
    points = rng.normal(size=(900, 12)) + 9 * rng.normal(size=(n_classes, 12))[labels]
    dataset = Probe().compute(make_snapshot({"input": points}, labels, split, n_classes=n_classes))
    assert 0 <= at(dataset, "accuracy", "input") <= 1
    assert dataset["recall"].sel(layer="input").values[1] == 0
    assert np.isnan(dataset["recall"].sel(layer="input").values[0])
    known = labels[split == 1] != 1
    if known.any() and n_classes > 2:
        assert at(dataset, "accuracy", "input") > 0.5 * known.mean()


def test_thin_constant_and_tiny_layers():
    labels = np.tile([0, 1, 1], 20)
    thin = labels[:, None] * 2.0 + np.random.default_rng(0).normal(size=(60, 1)) * 0.1
    dataset = Probe().compute(make_snapshot({"thin": thin, "dead": np.full((60, 4), 3.0)}, labels, np.arange(60) // 30))
    assert at(dataset, "accuracy", "thin") == 1
    assert at(dataset, "accuracy", "dead") == at(dataset, "chance", "dead") == pytest.approx(2 / 3)
    for n in (1, 2, 3):
        tiny = Probe().compute(make_snapshot({"a": thin[:n]}, labels[:n], np.zeros(n), n_classes=2))
        assert at(tiny, "train_accuracy", "a") > 0.6
        assert np.isnan(at(tiny, "accuracy", "a"))
    nobody = Probe().compute(make_snapshot({"a": thin}, labels, np.ones(60)))
    assert np.isnan(at(nobody, "accuracy", "a"))
    one_class = Probe().compute(make_snapshot({"a": thin}, np.zeros(60)))
    assert at(one_class, "accuracy", "a") == at(one_class, "chance", "a") == 1


def test_two_names_of_one_layer_have_one_probe(digits):
    points, labels, _ = digits
    tensor = torch.from_numpy(points[:200])
    dataset = Probe().compute(make_snapshot({"block2": tensor, "penultimate": tensor}, labels[:200]))
    for name in dataset.data_vars:
        if "layer" in dataset[name].dims:
            np.testing.assert_array_equal(*dataset[name].values)


def test_folds_spread_every_class():
    labels = np.repeat([0, 1, 2], [50, 10, 3])
    fold = stratified_folds(labels, 5, seed=1)
    assert [np.bincount(fold[labels == k], minlength=5).max() for k in range(3)] == [10, 2, 1]
    assert set(stratified_folds(labels[:3], 5, seed=1)) == {0, 1, 2}


def test_f1_is_scikit_learns_also_with_classes_that_are_only_predicted():
    labels, predicted = np.array([0, 0, 2, 2, 2]), np.array([0, 4, 2, 2, 0])
    assert f1_macro(labels, predicted, 6) == pytest.approx(f1_score(labels, predicted, average="macro"))


def test_errors_name_what_is_wrong():
    snapshot = make_snapshot({"a": np.full((6, 2), np.inf)}, np.zeros(6), epoch=3)
    with pytest.raises(FloatingPointError, match=r"'a'.*6 of 6.*epoch 3"):
        Probe().compute(snapshot)
    with pytest.raises(UserError, match=r"probe\.layers.*no layer b; it has a"):
        Probe(layers=("b",)).compute(snapshot)
    for wrong in ({"folds": 1}, {"seed": -1}, {"layers": ()}):
        with pytest.raises(UserError, match=f"probe.{next(iter(wrong))}"):
            Probe(**wrong)
