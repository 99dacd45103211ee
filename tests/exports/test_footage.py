"""What is in the picture is what is in the artifacts."""

import numpy as np
import pytest

from repviz.errors import UserError
from repviz.exports.footage import chosen_layer, over_epochs, through_layers, turned_onto, unit_size
from repviz.run import open_run
from repviz.store.artifacts import write_artifact


def test_places_are_the_artifacts_coordinates(run):
    footage = over_epochs(run, ["penultimate"], None)
    assert footage.stops == ["0", "1", "2", "3"]
    assert footage.method == "UMAP"
    for stop, epoch in enumerate(footage.epochs):
        there = run.read("projection", epoch)["coordinates"].sel({"layer": "penultimate", "method": "umap"})
        np.testing.assert_array_equal(footage.places[stop, 0], there.values)
    points = footage.places.reshape(-1, 2)
    assert footage.box(0) == pytest.approx((*np.sort(points[:, 0])[[0, -1]], *np.sort(points[:, 1])[[0, -1]]))
    assert footage.notes[0] == ["trust 0.92 · chance 0.51"]


def test_turning_undoes_a_rotation_and_a_mirroring():
    rng = np.random.default_rng(0)
    target = unit_size(rng.normal(size=(50, 2)) * [3, 1] + 7)
    assert (target**2).sum(1).mean() == pytest.approx(1)
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1, -1])
    np.testing.assert_allclose(turned_onto(target @ turn, target), target, atol=1e-12)


def test_through_the_layers_distances_within_a_map_keep_their_ratios(run):
    footage = through_layers(run, "pca", epoch=2)
    assert footage.stops == ["input", "penultimate", "logits"]
    assert set(footage.epochs) == {2}
    for stop, layer in enumerate(footage.stops):
        own = run.read("projection", 2)["coordinates"].sel({"layer": layer, "method": "pca"}).values
        ratio = np.linalg.norm(np.diff(footage.places[stop, 0], axis=0), axis=1) / np.linalg.norm(
            np.diff(own, axis=0), axis=1
        )
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_one_output_of_two_names_is_shown_once(grow):
    run = open_run(grow([0, 1], n=40, aliased=True))
    names = ["input", "block1", "block2", "penultimate", "logits"]
    assert over_epochs(run, None, "pca").titles == [names] * 2
    assert through_layers(run, "umap").stops == names
    asked = over_epochs(run, ["block3", "penultimate"], "pca")
    np.testing.assert_array_equal(asked.places[:, 0], asked.places[:, 1])


def test_layers_that_a_later_epoch_has_besides_are_left_out(grow):
    path = grow([0, 1], n=40, layers=("input", "block1", "penultimate", "logits"))
    run = open_run(path)
    first = run.read("projection", 0).sel(layer=["input", "penultimate", "logits"])
    write_artifact(path, "projection", 0, first, step=0, version=1)
    assert over_epochs(run, None, "pca").titles == [["input", "penultimate", "logits"]] * 2


def test_what_is_not_there_is_said(run, made, tmp_path):
    with pytest.raises(UserError, match=r"layer 'block9'; there is input, penultimate, logits"):
        chosen_layer(run, "block9")
    with pytest.raises(UserError, match=r"by 'tsne'; there is pca, umap"):
        over_epochs(run, ["input"], "tsne")
    with pytest.raises(UserError, match=r"no projection at epoch 9"):
        through_layers(run, None, epoch=9)
    empty = tmp_path / "20260101_000000"
    empty.mkdir()
    (empty / "run.json").write_text((made.path / "run.json").read_text())
    with pytest.raises(UserError, match=r"repviz diagnose --only projection"):
        over_epochs(open_run(empty), None, None)
