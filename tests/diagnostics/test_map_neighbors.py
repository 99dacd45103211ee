"""Which neighbours a large sample is asked for, and that its maps are judged by true ones."""

import numpy as np
import pytest
import torch
import xarray as xr

from repviz.diagnostics import map_neighbors, projection
from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.fidelity import rank_preservation, sampled_rows
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.projection import Projection


def test_in_a_large_sample_without_umap_only_those_that_judge_the_map_are_asked(trained, monkeypatch):
    """What is judged stays what it is of all, to the last digit, also at the next epoch."""
    settings = Projection(methods=("pca",), layers=("block1",))
    monkeypatch.setattr(projection, "FIDELITY_ROWS", 300)
    whole = settings.compute(trained[1])
    after = settings.compute(trained[2], Earlier(previous=whole))
    monkeypatch.setattr(map_neighbors, "MOST_NEIGHBORED", 999)
    few = settings.compute(trained[1])
    later = settings.compute(trained[2], Earlier(previous=few))
    assert (whole.attrs["neighbors_of"], few.attrs["neighbors_of"]) == (1000, 300)
    near = few["neighbors"].values[0]
    known = near[:, 0] >= 0
    assert known.sum() == 300
    assert (near[~known] == -1).all()
    np.testing.assert_array_equal(near[known], whole["neighbors"].values[0][known])
    for one, other in ((whole, few), (after, later)):
        xr.testing.assert_equal(
            one.drop_vars(["neighbors", "new_neighbors"]), other.drop_vars(["neighbors", "new_neighbors"])
        )
    assert float(later["new_neighbors"][0]) == pytest.approx(float(after["new_neighbors"][0]), abs=0.05)


def poorly(points: torch.Tensor, k: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A search that finds another point in place of each one's k-th neighbour."""
    indices, distances = nearest_neighbors(points, k + 40)
    order = [*range(k - 1), k + 39]
    return indices[:, order], distances[:, order]


def test_in_a_large_sample_umap_gets_approximate_neighbours_and_the_map_is_judged_by_true_ones(trained, monkeypatch):
    settings = Projection(layers=("block1",), n_epochs=100)
    monkeypatch.setattr(projection, "FIDELITY_ROWS", 300)
    exact = settings.compute(trained[1])
    assert float(exact["neighbor_recall"][0]) == 1.0
    monkeypatch.setattr(map_neighbors, "MOST_NEIGHBORED", 999)
    monkeypatch.setattr(map_neighbors, "approximate_neighbors", poorly)
    found = settings.compute(trained[1])
    assert found.attrs["neighbors_of"] == 1000
    same = found["neighbors"].values[0][:, :, None] == exact["neighbors"].values[0][:, None, :]
    share = same.any(axis=2).mean()
    assert 0.9 < share < 1, "else this shows nothing"
    assert float(found["neighbor_recall"][0]) == pytest.approx(share, abs=0.02), "300 points stand for 1,000"
    pca, umap = {"method": "pca"}, {"method": "umap"}
    xr.testing.assert_equal(found.sel(pca)["coordinates"], exact.sel(pca)["coordinates"])
    for measure in ("trustworthiness", "continuity"):
        assert float(found.sel(pca)[measure][0]) == float(exact.sel(pca)[measure][0]), "of the same map"
        assert float(found.sel(umap)[measure][0]) == pytest.approx(float(exact.sel(umap)[measure][0]), abs=0.03)
    at = sampled_rows(1000, 300, settings.seed, torch.device("cpu")).numpy()
    layer, on_map = trained[1].activations["block1"], torch.from_numpy(found.sel(umap)["coordinates"].values[0])
    true = nearest_neighbors(layer, 15)[0][at]
    kept = rank_preservation(on_map, [true], torch.from_numpy(at))[0]
    assert float(found.sel(umap)["continuity"][0]) == kept
