"""The scatter matrix: the columns that are asked for, of one layer, each point once, classes and split told apart."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.registry import picture_of
from repviz.figures.scatter_matrix import figure
from repviz.figures.view import View


def make(n=40, width=6):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, n, 6)).astype(np.float32)
    scores[2, :, width:] = np.nan
    return xr.Dataset(
        {
            "scores": (("layer", "sample", "pc"), scores),
            "neuron": (("layer", "sample", "unit"), rng.normal(size=(3, n, 4)).astype(np.float32)),
            "unit_index": (("layer", "unit"), np.arange(12).reshape(3, 4)),
            "explained_variance_ratio": (("layer", "pc"), np.tile([0.5, 0.2, 0.1, 0.08, 0.07, 0.05], (3, 1))),
            "label": ("sample", np.arange(n) % 4 - 1),
            "split": ("sample", (np.arange(n) % 3).astype(np.int8)),
            "class_name": ("class", ["a", "b", "c"]),
        },
        {"layer": ["input", "penultimate", "logits"]},
        {"epoch": 7},
    )


def matrices(drawn):
    return [trace for trace in drawn.data if trace.type == "splom"]


def test_each_point_is_drawn_once_in_its_class():
    dataset = make()
    traces = matrices(figure(dataset, View()))
    assert [t.name for t in traces] == ["a", "b", "c", "no class"]
    rows = np.concatenate([t.customdata for t in traces])
    assert sorted(rows) == list(range(40))
    for number, trace in enumerate(traces[:3]):
        assert (dataset["label"].values[trace.customdata] == number).all()
        for i, dimension in enumerate(trace.dimensions):
            np.testing.assert_array_equal(dimension.values, dataset["scores"].values[1, trace.customdata, i])
    assert [d.label for d in traces[0].dimensions] == ["PC1 (50%)", "PC2 (20%)", "PC3 (10%)", "PC4 (8%)"]


def test_neurons_by_their_number_in_the_layer():
    traces = matrices(figure(make(), View(layer="input", options={"axes": "neurons", "count": "3"})))
    assert [d.label for d in traces[0].dimensions] == ["neuron 0", "neuron 1", "neuron 2"]


def test_components_that_a_layer_lacks_are_left_out():
    traces = matrices(figure(make(width=2), View(layer="logits", options={"count": "6"})))
    assert len(traces[0].dimensions) == 2


def test_classes_selection_and_title():
    drawn = figure(make(), View(classes=(0, -1), selection=(1, 4), theme="dark"))
    traces = matrices(drawn)
    assert [t.name for t in traces] == ["a", "no class"]
    assert list(traces[0].customdata[traces[0].selectedpoints]) == [1]
    assert "penultimate · epoch 7" in drawn.layout.title.text
    shown = [t.name for t in drawn.data if t.type == "scatter"]
    assert shown == ["a", "no class", "train", "val", "excluded"]


def test_an_unknown_layer_or_option_is_refused():
    with pytest.raises(UserError, match="input, penultimate, logits"):
        figure(make(), View(layer="block9"))
    with pytest.raises(UserError, match="count"):
        figure(make(), View(options={"count": "400"}))


def test_it_is_a_picture_of_the_projection():
    picture = picture_of("scatter_matrix")
    assert (picture.kind, picture.one_layer, picture.over_epochs) == ("projection", True, None)
    assert picture.options["axes"] == ("PCs", "neurons")
