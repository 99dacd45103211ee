"""The projection's dataset: what the contract names, steady under noise, true to real training."""

import random

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from repviz.diagnostics import projection
from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.projection import Projection
from repviz.errors import UserError
from repviz.store.artifacts import read_artifact, write_artifact
from tests.diagnostics.conftest import displacement, make_snapshot, noisy, umap_from_scratch

QUICK = Projection(n_epochs=20, n_epochs_next=5)


@pytest.fixture(scope="module")
def first(trained) -> xr.Dataset:
    return Projection().compute(trained[1])


def small(n: int = 60, widths: tuple[int, ...] = (8, 5), seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"layer{i}": torch.randn(n, width, generator=generator) for i, width in enumerate(widths)}


def test_the_variables_of_the_contract(trained, first):
    assert {name: first[name].dims for name in first.data_vars} == {
        "coordinates": ("layer", "method", "sample", "component"),
        "scores": ("layer", "sample", "pc"),
        "explained_variance_ratio": ("layer", "pc"),
        "trustworthiness": ("layer", "method"),
        "continuity": ("layer", "method"),
        "trustworthiness_chance": ("layer", "method"),
        "neighbors": ("layer", "sample", "k"),
        "neighbor_recall": ("layer",),
        "new_neighbors": ("layer",),
        "neuron": ("layer", "sample", "unit"),
        "unit_index": ("layer", "unit"),
        "label": ("sample",),
        "split": ("sample",),
        "class_name": ("class",),
    }
    assert dict(first.sizes) == {
        "layer": 5, "method": 2, "sample": 1000, "component": 2, "pc": 6, "k": 15, "unit": 12, "class": 20,
    }  # fmt: skip
    assert first["layer"].values.tolist() == ["input", "block1", "block2", "penultimate", "logits"]
    assert first["method"].values.tolist() == ["pca", "umap"]
    assert first["coordinates"].dtype == np.float32
    assert first["neighbors"].dtype == np.int32
    assert all(first[name].attrs["long_name"] for name in first.data_vars)
    np.testing.assert_array_equal(first["label"], trained[1].sample.labels)
    assert first["class_name"].values[3] == "c3"


def test_first_maps_and_scores_are_pca_up_to_sign(trained, first):
    for layer in ("input", "block1", "logits"):
        points = trained[1].activations[layer].double().numpy()
        pca = PCA(6, svd_solver="full").fit(points)
        scores, ours = pca.transform(points), first["scores"].sel(layer=layer).values
        np.testing.assert_allclose(ours * np.sign((ours * scores).sum(0)), scores, atol=1e-4)
        np.testing.assert_array_equal(first["coordinates"].sel({"layer": layer, "method": "pca"}), ours[:, :2])
        ratio = first["explained_variance_ratio"].sel(layer=layer)
        np.testing.assert_allclose(ratio, pca.explained_variance_ratio_, rtol=1e-6)


def test_fidelity_is_scikit_learns(trained, first):
    for layer in ("input", "penultimate"):
        points = trained[1].activations[layer].double().numpy()
        for method in ("pca", "umap"):
            at = {"layer": layer, "method": method}
            found = first["coordinates"].sel(at).values.astype(np.float64)
            kept = trustworthiness(points, found, n_neighbors=15)
            assert float(first["trustworthiness"].sel(at)) == pytest.approx(kept, abs=1e-9)
            kept = trustworthiness(found, points, n_neighbors=15)
            assert float(first["continuity"].sel(at)) == pytest.approx(kept, abs=1e-9)
    assert (first["trustworthiness"] > first["trustworthiness_chance"] + 0.1).all()


def test_neighbours_are_those_of_the_layer(trained, first):
    expected, _ = nearest_neighbors(trained[1].activations["block1"], 15)
    np.testing.assert_array_equal(first["neighbors"].sel(layer="block1"), expected)


def test_names_of_one_tensor_share_the_work(trained_few, monkeypatch):
    seen = []

    def counted(self, points, *others):
        seen.append(points.shape)
        return original(self, points, *others)

    original = Projection._numbers
    monkeypatch.setattr(Projection, "_numbers", counted)
    found = QUICK.compute(trained_few[1])
    assert len(seen) == 4
    xr.testing.assert_equal(found.sel(layer="block2", drop=True), found.sel(layer="penultimate", drop=True))


def test_two_percent_noise_hardly_moves_any_map(trained, first):
    layers = ("input", "block1", "penultimate", "logits")
    activations = {layer: torch.from_numpy(noisy(trained[1].activations[layer].numpy())) for layer in layers}
    after = Projection().compute(make_snapshot(activations, epoch=2), Earlier(previous=first))
    for layer in layers:
        for method in ("pca", "umap"):
            at = {"layer": layer, "method": method}
            moved = displacement(after["coordinates"].sel(at).values, first["coordinates"].sel(at).values)
            assert moved < (0.1 if method == "umap" else 0.03), at
    assert (after["trustworthiness"] > first["trustworthiness"].sel(layer=list(layers)) - 0.005).all()


@pytest.mark.parametrize("epoch", [2, 10])
def test_real_changes_are_followed_as_well_as_by_a_map_from_scratch(trained, first, epoch):
    settings = Projection(layers=("block1", "penultimate"))
    after = settings.compute(trained[epoch], Earlier(previous=first))
    for layer in settings.layers:
        points = trained[epoch].activations[layer].numpy()
        scratch = umap_from_scratch(points)
        chained = after["coordinates"].sel({"layer": layer, "method": "umap"}).values
        for k in (5, 15):
            reference = trustworthiness(points, scratch, n_neighbors=k)
            assert trustworthiness(points, chained, n_neighbors=k) >= reference - 0.01, (layer, k)
        still = first["coordinates"].sel({"layer": layer, "method": "umap"}).values
        # From one epoch to the next little moves; over nine of them a map that stays is no longer true.
        gain = trustworthiness(points, chained) - trustworthiness(points, still)
        assert gain > (0.005 if epoch == 10 else 0), "it had to move"
        assert displacement(chained, still) < displacement(scratch - scratch.mean(0), still - still.mean(0)) / 2


def test_pca_stays_pca_where_its_axes_are_distinct():
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([4.0, 3.0, 2.0, 1.0])
    before = QUICK.compute(make_snapshot({"a": torch.randn(300, 4, generator=generator) * spread}))
    after_points = torch.randn(300, 4, generator=generator) * spread.flip(0)
    after = QUICK.compute(make_snapshot({"a": after_points}, epoch=1), Earlier(previous=before))
    scores = PCA(2).fit_transform(after_points.double().numpy())
    ours = after["coordinates"].sel({"layer": "a", "method": "pca"}).values
    np.testing.assert_allclose(np.abs(ours), np.abs(scores), atol=1e-5)


def test_pca_is_steady_among_more_equal_axes_than_it_keeps():
    """As in a network whose classes have collapsed: C - 1 directions of one variance."""
    cloud = torch.randn(400, 19, generator=torch.Generator().manual_seed(0))
    before = QUICK.compute(make_snapshot({"a": torch.linalg.qr(cloud - cloud.mean(0)).Q}))
    moved = torch.from_numpy(noisy(torch.linalg.qr(cloud - cloud.mean(0)).Q.numpy()))
    after = QUICK.compute(make_snapshot({"a": moved}), Earlier(previous=before))
    maps = [found["coordinates"].sel({"layer": "a", "method": "pca"}).values for found in (after, before)]
    assert displacement(*maps) < 0.05
    plain = QUICK.compute(make_snapshot({"a": moved}))["coordinates"].sel({"layer": "a", "method": "pca"}).values
    assert displacement(plain, maps[1]) > 0.5


def test_score_signs_follow_the_previous_epoch(trained_few):
    before = QUICK.compute(trained_few[1])
    flipped = before.copy()
    flipped["scores"] = -before["scores"]
    flipped["coordinates"] = -before["coordinates"]
    after = QUICK.compute(trained_few[1], Earlier(previous=flipped))
    np.testing.assert_allclose(after["scores"], flipped["scores"], atol=1e-5)
    np.testing.assert_allclose(after["coordinates"], flipped["coordinates"], atol=1e-4)


def test_the_same_snapshot_gives_the_same_numbers_and_no_generator_is_touched(trained_few):
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    before = QUICK.compute(trained_few[1])
    after = QUICK.compute(trained_few[2], Earlier(previous=before))
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    np.random.seed(5)
    torch.rand(3)
    xr.testing.assert_identical(QUICK.compute(trained_few[1]), before)
    xr.testing.assert_identical(QUICK.compute(trained_few[2], Earlier(previous=before)), after)


def test_it_survives_the_disk_and_goes_on_from_there(trained_few, tmp_path):
    before = QUICK.compute(trained_few[1])
    write_artifact(tmp_path, "projection", 1, before, step=25, version=1)
    read = read_artifact(tmp_path, "projection", 1)
    for name in before.variables:
        np.testing.assert_array_equal(read[name].values, before[name].values)
        assert read[name].dtype == before[name].dtype
    xr.testing.assert_identical(
        QUICK.compute(trained_few[2], Earlier(previous=read)), QUICK.compute(trained_few[2], Earlier(previous=before))
    )


def test_units_are_the_most_varied_at_first_and_the_same_ever_after():
    points = small(widths=(20,))["layer0"]
    points[:, [3, 11]] *= 10
    settings = Projection(n_epochs=5, n_epochs_next=5, neurons=2)
    before = settings.compute(make_snapshot({"a": points}))
    assert set(before["unit_index"].values[0]) == {3, 11}
    later = points.clone()
    later[:, 7] *= 100
    after = settings.compute(make_snapshot({"a": later}), Earlier(previous=before))
    np.testing.assert_array_equal(after["unit_index"], before["unit_index"])
    np.testing.assert_array_equal(after["neuron"][0], later[:, before["unit_index"].values[0]])
    anew = Projection(n_epochs=5, n_epochs_next=5, neurons=3).compute(
        make_snapshot({"a": later}), Earlier(previous=before)
    )
    assert anew["unit_index"].values[0, 0] == 7


def test_what_a_narrow_layer_lacks_is_nan():
    found = QUICK.compute(make_snapshot(small(widths=(8, 1, 3))))
    assert np.isfinite(found["coordinates"]).all()
    np.testing.assert_array_equal(np.isnan(found["scores"]).all("sample").sum("pc"), [0, 5, 3])
    np.testing.assert_array_equal(np.isnan(found["explained_variance_ratio"]).sum("pc"), [0, 5, 3])
    np.testing.assert_array_equal((found["unit_index"] == -1).sum("unit"), [4, 11, 9])
    np.testing.assert_array_equal(np.isnan(found["neuron"]).all("sample").sum("unit"), [4, 11, 9])
    again = QUICK.compute(make_snapshot(small(widths=(8, 1, 3), seed=1)), Earlier(previous=found))
    assert np.isfinite(again["coordinates"]).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 20])
def test_few_points_wide_layers(n):
    settings = Projection(n_epochs=5, n_epochs_next=5)
    before = settings.compute(make_snapshot(small(n, (30,))))
    after = settings.compute(make_snapshot(small(n, (30,), seed=1)), Earlier(previous=before))
    for found in (before, after):
        assert found.sizes["k"] == min(15, n - 1)
        assert np.isfinite(found["coordinates"]).all()
        assert np.isfinite(found["trustworthiness"]).all() == (n >= 3)


def test_a_dead_layer_is_one_point_and_may_come_to_life():
    dead = {"a": torch.full((50, 4), 0.1)}
    before = QUICK.compute(make_snapshot(dead))
    assert (before["coordinates"] == 0).all()
    assert np.isnan(before["trustworthiness"]).all()
    assert (before["neighbors"] == -1).all()
    alive = {"a": small(50, (4,))["layer0"]}
    after = QUICK.compute(make_snapshot(alive), Earlier(previous=before))
    np.testing.assert_array_equal(after["coordinates"], QUICK.compute(make_snapshot(alive))["coordinates"])
    assert float(after["new_neighbors"].item()) == 1
    dead_again = QUICK.compute(make_snapshot(dead), Earlier(previous=after))
    xr.testing.assert_identical(dead_again, before)


def test_half_the_points_alike():
    points = small(80, (6,))["layer0"]
    points[:40] = 0
    found = QUICK.compute(make_snapshot({"a": points}))
    again = QUICK.compute(make_snapshot({"a": points * torch.rand(6)}), Earlier(previous=found))
    for dataset in (found, again):
        assert np.isfinite(dataset["coordinates"]).all()
        assert (dataset["trustworthiness"] > 0.5).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e31])
def test_a_diverged_network_is_said_to_be_one(value):
    activations = small()
    activations["layer1"][7, 2] = value
    with pytest.raises(FloatingPointError, match=r"layer 'layer1' .* for 1 of 60 points at epoch 3"):
        QUICK.compute(make_snapshot(activations, epoch=3))


def test_large_finite_activations_are_mapped():
    found = QUICK.compute(make_snapshot({"a": small()["layer0"] * 1e29}))
    assert np.isfinite(found["coordinates"]).all()
    assert (found["trustworthiness"] > 0.5).all()


def test_one_layer_one_method_and_a_layer_that_is_new():
    activations = small()
    before = Projection(layers=("layer0",), methods=("umap",), n_epochs=5).compute(make_snapshot(activations))
    assert before["coordinates"].shape == (1, 1, 60, 2)
    later = Projection(n_epochs=5, n_epochs_next=5)
    after = later.compute(make_snapshot(activations), Earlier(previous=before))
    kept = {"layer": "layer0", "method": "umap"}
    np.testing.assert_array_equal(after["coordinates"].sel(kept), before["coordinates"].sel(kept))
    alone = later.compute(make_snapshot(activations))
    np.testing.assert_array_equal(after["coordinates"].sel(layer="layer1"), alone["coordinates"].sel(layer="layer1"))


def test_beyond_some_points_fidelity_is_an_average_over_a_part(trained, first, monkeypatch):
    monkeypatch.setattr(projection, "FIDELITY_ROWS", 500)
    found = Projection(layers=("penultimate",), methods=("pca",)).compute(trained[1])
    assert found.attrs["fidelity_rows"] == 500
    assert first.attrs["fidelity_rows"] == 1000
    at = {"layer": "penultimate", "method": "pca"}
    expected = float(first["trustworthiness"].sel(at))
    assert float(found["trustworthiness"].sel(at)) == pytest.approx(expected, abs=0.01)
    assert float(found["trustworthiness"].sel(at)) != expected


def test_settings_out_of_range():
    for setting in (
        {"methods": ()},
        {"methods": ("pca", "tsne")},
        {"layers": ()},
        {"n_neighbors": 1},
        {"min_dist": 1.5},
        {"n_epochs": 0},
        {"n_epochs_next": 0},
        {"n_pcs": 0},
        {"neurons": -1},
        {"seed": -1},
    ):
        with pytest.raises(UserError, match=rf"projection\.{next(iter(setting))} must be"):
            Projection(**setting)


def test_a_missing_layer_and_another_sample():
    with pytest.raises(UserError, match="no layer block7; it has layer0, layer1"):
        Projection(layers=("layer0", "block7")).compute(make_snapshot(small()))
    before = QUICK.compute(make_snapshot(small(40)))
    with pytest.raises(ValueError, match="it has 40 points, this snapshot 60"):
        QUICK.compute(make_snapshot(small(60)), Earlier(previous=before))
