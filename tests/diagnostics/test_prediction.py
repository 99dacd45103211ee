"""What the network predicts, against scikit-learn, the criterion itself and counting by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_confusion
from torch import nn

from repviz.diagnostics.prediction import Prediction, calibration_error, confusion_matrix, reliability, row_losses
from repviz.errors import UserError
from repviz.model.losses import make_criterion
from repviz.snapshot import Rows
from tests.diagnostics.snapshots import make_snapshot


def points(n=60, n_classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, n_classes, generator=generator)
    return logits, torch.randint(n_classes, (n,), generator=generator)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 3.0, 0.7]])
def test_the_loss_of_a_row_is_the_criterion_on_it_alone(loss, smoothing, weights):
    logits, labels = points()
    weight = None if weights is None else torch.tensor(weights)
    criterion = make_criterion(loss, 2.0, smoothing, weight)
    losses = row_losses(criterion, logits, labels)
    expected = [criterion(logits[i : i + 1], labels[i : i + 1]).item() for i in range(len(labels))]
    np.testing.assert_allclose(losses.numpy(), expected, atol=1e-6)
    w = torch.ones(len(labels)) if weight is None else weight[labels]
    torch.testing.assert_close((w * losses).sum() / w.sum(), criterion(logits, labels))


def test_a_criterion_that_cannot_be_batched_gives_the_same_numbers():
    def stubborn(logits, labels):
        scale = 2.0 if labels[0].item() == 1 else 1.0
        return scale * nn.functional.cross_entropy(logits, labels)

    logits, labels = points()
    expected = nn.functional.cross_entropy(logits, labels, reduction="none") * torch.where(labels == 1, 2.0, 1.0)
    torch.testing.assert_close(row_losses(stubborn, logits, labels), expected)


def test_confusion_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, (2, 300))
    labels[labels == 3] = 0  # a class without rows
    expected = sklearn_confusion(labels, predicted, labels=range(5))
    np.testing.assert_array_equal(confusion_matrix(labels, predicted, 5), expected)


def test_bins_hold_what_lies_between_their_edges():
    confidence = np.array([0.05, 0.1, 0.1001, 0.95, 1.0, 0.0])
    correct = np.array([True, False, True, True, False, False])
    edges, count, mean, accuracy = reliability(confidence, correct, 10)
    assert list(count) == [3, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    np.testing.assert_allclose(accuracy[[0, 1, 9]], [1 / 3, 1, 0.5])
    np.testing.assert_allclose(mean[[0, 1, 9]], [0.05, 0.1001, 0.975])
    assert np.isnan(mean[2])
    assert np.isnan(accuracy[2])
    assert (edges[0], edges[-1], len(edges)) == (0, 1, 11)


def test_calibration_error_of_a_calibrated_and_of_an_overconfident_predictor():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1, 200_000)
    calibrated = rng.random(200_000) < confidence
    assert calibration_error(*reliability(confidence, calibrated, 15)[1:]) < 0.01
    overconfident = rng.random(200_000) < confidence - 0.2
    assert calibration_error(*reliability(confidence, overconfident, 15)[1:]) == pytest.approx(0.2, abs=0.01)
    assert np.isnan(calibration_error(*reliability(confidence[:0], calibrated[:0], 15)[1:]))


def test_the_sample_and_the_whole_val_set():
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    inputs, val_labels = torch.randn(5000, 6), torch.randint(3, (5000,))
    val_labels[:7] = -1
    logits, labels = points(30, 3)
    labels[-2:] = -1
    criterion = nn.CrossEntropyLoss()
    snapshot = make_snapshot(
        {}, labels.numpy(), logits=logits, n_classes=3, model=model, criterion=criterion,
        whole={"val": Rows((inputs,), val_labels)},
    )  # fmt: skip
    with torch.no_grad():
        dataset = Prediction().compute(snapshot)
        predicted = model(inputs).argmax(1)
        probability = logits.softmax(1)
    there = val_labels >= 0
    expected = sklearn_confusion(val_labels[there], predicted[there], labels=range(3))
    np.testing.assert_array_equal(dataset["confusion"].values, expected)
    assert float(dataset["accuracy"]) == pytest.approx(np.trace(expected) / expected.sum())
    assert dataset["bin_count"].values.sum() == 4993
    assert dataset.attrs["evaluated_on"] == "whole val set"
    np.testing.assert_allclose(dataset["confidence"].values, probability.max(1).values, rtol=1e-6)
    np.testing.assert_array_equal(dataset["logits"].values, logits)
    expected_loss = nn.functional.cross_entropy(logits[:-2], labels[:-2], reduction="none")
    np.testing.assert_allclose(dataset["loss"].values[:-2], expected_loss, atol=1e-6)
    np.testing.assert_array_equal(dataset["correct"].values[:-2], (logits.argmax(1) == labels)[:-2])
    assert np.isnan(dataset["loss"].values[-2:]).all()
    assert np.isnan(dataset["correct"].values[-2:]).all()


def test_without_the_whole_val_set_the_samples_val_points_stand_for_it():
    logits, labels = points(30, 3)
    dataset = Prediction().compute(make_snapshot({}, labels.numpy(), logits=logits, n_classes=3))
    assert dataset.attrs["evaluated_on"] == "val points of the sample"
    val = np.arange(30) % 3 == 2
    assert float(dataset["accuracy"]) == pytest.approx((logits.argmax(1) == labels).numpy()[val].mean())
    assert np.isnan(dataset["loss"].values).all()  # nobody said what the loss is


def test_without_any_val_row_nothing_is_claimed():
    logits, labels = points(30, 3)
    dataset = Prediction().compute(make_snapshot({}, labels.numpy(), np.zeros(30), logits=logits, n_classes=3))
    assert dataset["confusion"].values.sum() == 0
    assert np.isnan(float(dataset["accuracy"]))
    assert np.isnan(float(dataset["calibration_error"]))


def test_a_setting_out_of_range_is_named():
    with pytest.raises(UserError, match=r"prediction\.bins"):
        Prediction(bins=0)
