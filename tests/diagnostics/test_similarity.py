"""Debiased CKA against the formulas on whole Gram matrices, and what must not change it."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.similarity import Similarity
from repviz.errors import UserError
from repviz.kernel_alignment import debiased_cka, linear_kernel
from tests.diagnostics.snapshots import make_snapshot


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def cka(a, b):
    return debiased_cka(*(linear_kernel(torch.from_numpy(points)) for points in (a, b)))


def u_centered(gram):
    """Székely & Rizzo's U-centring, entry by entry from whole rows and columns: another way to the same estimator."""
    n = len(gram)
    gram = gram - np.diag(np.diag(gram))
    rows = gram.sum(0, keepdims=True) / (n - 2)
    centred = gram - rows - rows.T + gram.sum() / ((n - 1) * (n - 2))
    return centred - np.diag(np.diag(centred))


def cka_of_grams(a, b):
    k, m = u_centered(a @ a.T), u_centered(b @ b.T)
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


def biased_cka(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))


@pytest.mark.parametrize(("n", "d"), [(4, 3), (30, 5), (30, 80)])
def test_it_is_the_one_of_whole_gram_matrices(n, d):
    a = normal(n, d) + 3
    b = a @ normal(d, 7, seed=1) + normal(n, 7, seed=2)
    assert cka(a, b) == pytest.approx(cka_of_grams(a, b), rel=1e-9)
    assert cka(a, a) == pytest.approx(1)
    assert debiased_cka(linear_kernel(a), linear_kernel(b)) == pytest.approx(cka(a, b), rel=1e-12)  # NumPy's arrays


def test_shift_rotation_and_scale_do_not_change_it_and_stretching_one_axis_does():
    a, b = normal(100, 6), normal(100, 9, seed=1)
    b[:, :3] += a[:, :3]
    expected = cka(a, b)
    turned = 1e-3 * a @ ortho_group.rvs(6, random_state=0) + 500
    assert cka(turned, 1e6 * b) == pytest.approx(expected, rel=1e-6)
    assert cka(b, a) == pytest.approx(expected, rel=1e-9)
    assert cka(a * [1, 1, 1, 1, 1, 9], b) < expected / 2


def test_independent_layers_read_nothing_though_the_biased_one_reads_much():
    values = [cka(normal(200, 800, seed=2 * k), normal(200, 800, seed=2 * k + 1)) for k in range(5)]
    assert np.abs(values).max() < 0.05
    assert np.abs(np.mean(values)) < 0.01
    assert biased_cka(normal(200, 800), normal(200, 800, seed=1)) > 0.7


def test_layers_with_layers_also_wider_than_points():
    a = normal(60, 200)
    b = a[:, :10] + 0.5 * normal(60, 10, seed=1)
    shared = torch.from_numpy(b.astype(np.float32))
    dataset = Similarity().compute(make_snapshot({"wide": a, "thin": shared, "again": shared}, np.arange(60) % 3))
    assert dataset["cka"].sel(layer="wide", layer_b="thin") == pytest.approx(cka_of_grams(a, b), abs=1e-5)
    assert dataset["cka"].sel(layer="wide", layer_b="again") == dataset["cka"].sel(layer="wide", layer_b="thin")
    np.testing.assert_allclose(np.diag(dataset["cka"].values), 1)
    np.testing.assert_allclose(dataset["cka"].values, dataset["cka"].values.T)
    assert dataset["activations_0"].shape == (60, 60)
    assert "activations_2" not in dataset  # two names, one layer
    assert np.isnan(dataset["cka_first"].values).all()


def test_with_the_past():
    epochs = [{"a": normal(80, 12, seed=0), "b": normal(80, 300, seed=9)}]
    for seed in (1, 2):
        epochs.append({name: now + 0.4 * normal(*now.shape, seed=seed) for name, now in epochs[-1].items()})
    labels = np.arange(80) % 2
    datasets = []
    for epoch, layers in enumerate(epochs):
        earlier = Earlier(datasets[0], datasets[-1]) if datasets else Earlier()
        datasets.append(Similarity(points=50).compute(make_snapshot(layers, labels, epoch=epoch), earlier))
    rows = datasets[0]["point_index"].values
    assert len(rows) == 50
    for number, layer in enumerate(("a", "b")):
        now, before, first = (epochs[k][layer][rows] for k in (2, 1, 0))
        assert datasets[2]["cka_previous"].values[number] == pytest.approx(cka_of_grams(now, before), abs=1e-5)
        assert datasets[2]["cka_first"].values[number] == pytest.approx(cka_of_grams(now, first), abs=1e-5)
    new = Similarity(points=50).compute(
        make_snapshot(epochs[0] | {"c": epochs[0]["a"]}, labels), Earlier(*datasets[:2])
    )
    assert np.isnan(new["cka_first"].sel(layer="c"))
    assert new["cka_first"].sel(layer="b") == pytest.approx(1)


def test_other_points_are_refused():
    snapshot = make_snapshot({"a": normal(40, 3)}, np.arange(40) % 2)
    past = Similarity(points=20, seed=1).compute(snapshot)
    with pytest.raises(ValueError, match=r"other points.*similarity\.seed"):
        Similarity(points=20).compute(snapshot, Earlier(past, past))


def test_what_is_not_defined_is_nan():
    layers = {"a": normal(30, 3), "dead": np.full((30, 70), 0.1), "thin": normal(30, 1, seed=4)}
    dataset = Similarity().compute(make_snapshot(layers, np.zeros(30)))
    assert np.isnan(dataset["cka"].sel(layer="dead").values).all()
    assert np.isfinite(dataset["cka"].sel(layer="a", layer_b="thin"))
    few = Similarity().compute(make_snapshot({"a": normal(3, 3)}, np.zeros(3)))
    assert np.isnan(few["cka"].values).all()


def test_settings_out_of_range_are_named():
    for wrong in ({"points": 3}, {"seed": -1}, {"layers": ()}):
        with pytest.raises(UserError, match=f"similarity.{next(iter(wrong))}"):
            Similarity(**wrong)
