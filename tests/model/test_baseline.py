import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from repviz.errors import DataError
from repviz.model import baseline
from repviz.model.baseline import fit_baseline

PACKAGES = Path(__file__).parents[2] / "data" / "packages_small.npz"


@pytest.fixture(scope="module")
def packages():
    """Scaled inputs and labels of the real sample: train inputs, train labels, val inputs, val labels."""
    with np.load(PACKAGES, allow_pickle=False) as data:
        inputs = {
            split: np.hstack([data[f"X_{split}_embed"].astype(np.float32), data[f"financial_{split}"]])
            for split in ("train", "val")
        }
        scaler = StandardScaler().fit(inputs["train"])
        return (
            scaler.transform(inputs["train"]),
            data["y_train"],
            scaler.transform(inputs["val"]),
            data["y_val"],
        )


def blobs(n=300, n_classes=3, noise=1.0, n_noise=0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    signal = np.eye(n_classes)[labels] + noise * rng.standard_normal((n, n_classes))
    return np.hstack([signal, rng.standard_normal((n, n_noise))]).astype(np.float32), labels


def test_it_does_on_the_real_sample_what_a_tuned_regression_does(packages):
    result = fit_baseline(*packages)
    assert result.accuracy == pytest.approx(0.69, abs=0.005)
    assert result.converged
    train_inputs, train_labels, val_inputs, val_labels = packages
    by_hand = LogisticRegression(C=result.C, max_iter=1000).fit(train_inputs, train_labels).predict(val_inputs)
    assert result.accuracy == accuracy_score(val_labels, by_hand)
    assert result.f1_macro == pytest.approx(f1_score(val_labels, by_hand, average="macro"))
    assert result.f1_macro <= result.f1_confidence <= 1


def test_the_strength_is_the_one_that_cross_validation_finds(packages):
    strengths = [1e-3, 1e-2, 1e-1]
    regression = LogisticRegression(tol=1e-3, max_iter=1000)
    search = GridSearchCV(regression, {"C": strengths}, scoring="neg_log_loss", cv=3).fit(*packages[:2])
    assert fit_baseline(*packages).C == fit_baseline(*packages, strengths=strengths).C == search.best_params_["C"]


def test_the_strength_is_chosen_without_the_validation_rows(packages):
    train_inputs, train_labels, val_inputs, val_labels = packages
    rng = np.random.default_rng(0)
    shuffled = fit_baseline(train_inputs[:600], train_labels[:600], val_inputs, rng.permutation(val_labels))
    honest = fit_baseline(train_inputs[:600], train_labels[:600], val_inputs, val_labels)
    assert shuffled.C == honest.C
    assert shuffled.accuracy < 0.15 < honest.accuracy


def test_noise_asks_for_stronger_regularisation():
    clean = fit_baseline(*blobs(noise=0.2), *blobs(noise=0.2, seed=1))
    noisy = fit_baseline(*blobs(noise=2, n_noise=60), *blobs(noise=2, n_noise=60, seed=1))
    assert noisy.C < clean.C
    assert clean.accuracy == 1.0


def test_only_the_strengths_asked_for_are_tried():
    train, val = blobs(n_noise=60), blobs(n_noise=60, seed=1)
    assert fit_baseline(*train, *val, strengths=(5.0, 0.2)).C in (5.0, 0.2)
    assert fit_baseline(*train, *val, strengths=(7.0,)).C == 7.0


def test_the_seed_decides_and_no_global_generator_is_drawn_from():
    train, val = blobs(n=60, n_noise=30), blobs(seed=1, n_noise=30)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    results = [fit_baseline(*train, *val, seed=seed) for seed in (0, 0, 1, 2, 3, 4)]
    assert results[0] == results[1]
    assert len({result.C for result in results}) > 1
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_two_classes_and_a_class_with_a_single_row():
    inputs, labels = blobs(n_classes=2, noise=0.2)
    assert fit_baseline(inputs, labels, inputs, labels).accuracy == 1.0
    labels = np.where(np.arange(len(labels)) == 4, 2, labels)
    assert fit_baseline(inputs, labels, inputs, labels).accuracy > 0.99


def test_classes_that_training_lacks_are_counted_as_errors():
    inputs, labels = blobs(noise=0.2)
    val_labels = np.where(labels == 2, 5, labels)
    known = labels != 2
    result = fit_baseline(inputs[known], labels[known], inputs, val_labels)
    assert result.accuracy == pytest.approx(2 / 3, abs=0.01)
    assert np.isfinite(result.f1_confidence)


def test_a_fit_that_did_not_end_says_so_and_warns_nobody(monkeypatch, packages):
    monkeypatch.setattr(baseline, "_MAX_ITER", 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit_baseline(*packages)
    assert not result.converged
    assert result.n_iter == 3


@pytest.mark.parametrize(
    ("labels", "named"), [([1, 1, 1, 1], "two classes .* found 1"), ([0, 1, 2, 3], "two training rows")]
)
def test_training_rows_that_cannot_be_split_are_refused(labels, named):
    inputs = np.eye(4, dtype=np.float32)
    with pytest.raises(DataError, match=named):
        fit_baseline(inputs, np.array(labels), inputs, np.array(labels))
