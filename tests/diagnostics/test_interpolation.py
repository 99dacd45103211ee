"""Lines between points, against closed forms and a loop."""

import numpy as np
import pytest
import torch
from torch import nn

from repviz.diagnostics.interpolation import (
    Interpolation,
    bands,
    choose_pairs,
    class_switches,
    end_probabilities,
    line_probabilities,
)
from repviz.errors import UserError
from tests.diagnostics.models import N_CLASSES, look_at, make_inputs, make_mlp


def labels_of(n, seed=2):
    return np.random.default_rng(seed).integers(0, N_CLASSES, n)


def test_on_a_line_a_linear_network_is_a_logistic_curve():
    """Two classes, logits linear in the input: log-odds go straight from one end's to the other's."""
    model = nn.Linear(7, 2).double()
    inputs = (make_inputs(6, 1)[0].double(),)
    t = np.linspace(0, 1, 9)
    pairs = np.array([[0, 1], [4, 2]])
    found = line_probabilities(model, inputs, pairs, t, 2)
    with torch.no_grad():
        logits = model(inputs[0]).numpy()
    odds = logits[:, 1] - logits[:, 0]
    along = (1 - t) * odds[pairs[:, :1]] + t * odds[pairs[:, 1:]]
    np.testing.assert_allclose(found[:, :, 1], 1 / (1 + np.exp(-along)), rtol=1e-5)
    np.testing.assert_allclose(found.sum(2), 1, rtol=1e-6)


@pytest.mark.parametrize("fusion", ["concat", "film"])
def test_all_inputs_move_and_the_ends_are_the_points(fusion):
    model, inputs = make_mlp(fusion=fusion), make_inputs(12)
    pairs = np.array([[3, 7], [0, 11], [5, 4]])
    found = line_probabilities(model, inputs, pairs, np.array([0, 0.25, 1]), N_CLASSES)
    with torch.no_grad():
        at_points = model(*inputs).softmax(1).numpy()
        quarter = model(*(0.75 * x[pairs[:, 0]] + 0.25 * x[pairs[:, 1]] for x in inputs)).softmax(1)
    np.testing.assert_allclose(found[:, 0], at_points[pairs[:, 0]], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found[:, 2], at_points[pairs[:, 1]], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found[:, 1], quarter, rtol=1e-4, atol=1e-7)


def test_pairs_are_half_of_one_class_distinct_and_labelled():
    labels = labels_of(200)
    labels[::7] = -1
    pairs, same = choose_pairs(labels, 80, 0)
    assert pairs.shape == (80, 2)
    assert same.sum() == 40
    np.testing.assert_array_equal(labels[pairs[:, 0]] == labels[pairs[:, 1]], same)
    assert (labels[pairs] >= 0).all()
    assert len({frozenset(pair) for pair in pairs.tolist()}) == 80
    assert (pairs[:, 0] != pairs[:, 1]).all()
    np.testing.assert_array_equal(choose_pairs(labels, 80, 0)[0], pairs)
    assert not np.array_equal(choose_pairs(labels, 80, 1)[0], pairs)


def test_pairs_go_through_the_classes_in_turn():
    labels = np.repeat([0, 1, 2, 3], [500, 10, 10, 2])
    pairs, same = choose_pairs(labels, 24, 0)
    count = np.bincount(labels[pairs[same, 0]], minlength=4)
    assert list(count[:3]) in ([4, 4, 3], [4, 3, 4], [3, 4, 4])
    assert count[3] == 1  # there is only one such pair
    couples = {frozenset(pair) for pair in labels[pairs[~same]].tolist()}
    assert len(couples) == 6


@pytest.mark.parametrize(
    ("labels", "n_same", "n_different"),
    [([0] * 5, 10, 0), ([0, 1, 2], 0, 3), ([0, 0], 1, 0), ([0, 1], 0, 1), ([0, -1], 0, 0), ([], 0, 0)],
)
def test_what_there_is_is_taken(labels, n_same, n_different):
    pairs, same = choose_pairs(np.array(labels, np.int64), 10, 0)
    assert pairs.shape == (n_same + n_different, 2)
    assert same.sum() == n_same


def test_two_hundred_classes():
    pairs, same = choose_pairs(np.arange(600) % 200, 64, 0)
    assert (len(pairs), same.sum()) == (64, 32)
    assert len(set((pairs[same, 0] % 200).tolist())) == 32


def test_switches_count_changes_of_the_most_probable_class():
    predicted = np.array([[0, 0, 0, 0], [0, 1, 0, 2], [2, 2, 1, 1]])
    assert list(class_switches(np.eye(3)[predicted])) == [0, 3, 1]


def test_bands_are_over_the_pairs_of_each_kind():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(5), (40, 6)).astype(np.float32)
    labels, same = rng.integers(0, 5, (40, 2)), np.arange(40) < 15
    ends = end_probabilities(probability, labels)
    assert ends[7, 1, 3] == probability[7, 3, labels[7, 1]]
    mean, low, high = bands(ends, same)
    expected = [probability[i, 2, labels[i, 0]] for i in range(15, 40)]
    assert mean[1, 0, 2] == pytest.approx(np.mean(expected), rel=1e-6)
    assert np.mean(np.array(expected) < low[1, 0, 2]) == pytest.approx(0.1, abs=0.03)
    assert np.mean(np.array(expected) > high[1, 0, 2]) == pytest.approx(0.1, abs=0.03)
    assert np.isnan(bands(ends, np.ones(40, bool))[0][1]).all()


def test_the_dataset_says_which_points_and_is_the_same_at_every_epoch():
    labels, split = labels_of(60), np.arange(60) % 3
    dataset = Interpolation(pairs=20, steps=5).compute(look_at(make_mlp(), make_inputs(60, 1), labels, split))
    later = Interpolation(pairs=20, steps=5).compute(look_at(make_mlp(seed=9), make_inputs(60, 1), labels, split))
    np.testing.assert_array_equal(dataset["pair_index"], later["pair_index"])
    assert not np.allclose(dataset["probability"], later["probability"])
    assert dataset["probability"].dims == ("pair", "t", "class")
    assert dataset["probability"].shape == (20, 5, N_CLASSES)
    assert (split[dataset["pair_index"].values] < 2).all()  # excluded points stay out
    np.testing.assert_array_equal(dataset["pair_label"], labels[dataset["pair_index"].values])
    np.testing.assert_array_equal(dataset["same_class"], dataset["pair_label"][:, 0] == dataset["pair_label"][:, 1])


def test_between_whole_numbers_is_nothing():
    model = nn.Sequential(nn.EmbeddingBag(10, N_CLASSES))
    snapshot = look_at(model, (torch.randint(10, (9, 3)),), labels_of(9))
    with pytest.raises(UserError, match=r"input 0 of the model is torch\.int64"):
        Interpolation().compute(snapshot)


@pytest.mark.parametrize("settings", [{"pairs": 0}, {"steps": 1}])
def test_a_setting_out_of_range_is_named(settings):
    with pytest.raises(UserError, match=f"interpolation.{next(iter(settings))}"):
        Interpolation(**settings)
