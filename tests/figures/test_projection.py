"""The maps: every point once, in the colour of its class and the shape of its split."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.projection import figure, label_positions
from repviz.figures.view import View
from repviz.theme import LIGHT, class_colors

CLASSES = ["cats", "dogs", "<b>eels</b>"]


def make(layers=("input", "block1", "block2", "logits"), n=90, methods=("pca", "umap"), n_classes=3, names=True):
    rng = np.random.default_rng(3)
    labels = np.arange(n) % n_classes
    labels[-3:] = -1
    variables = {
        "coordinates": (
            ("layer", "method", "sample", "component"),
            rng.normal(size=(len(layers), len(methods), n, 2)).astype(np.float32),
        ),
        "trustworthiness": (("layer", "method"), np.full((len(layers), len(methods)), 0.931)),
        "trustworthiness_chance": (("layer", "method"), np.full((len(layers), len(methods)), 0.508)),
        "explained_variance_ratio": (("layer", "pc"), np.tile([0.31, 0.12, 0.1], (len(layers), 1))),
        "label": ("sample", labels),
        "split": ("sample", (np.arange(n) % 3).astype(np.int8)),
    }
    if names:
        variables["class_name"] = ("class", np.array(CLASSES[:n_classes]))
    return xr.Dataset(variables, {"layer": list(layers), "method": list(methods)}, {"epoch": 12})


def points_of(drawn, axis="x"):
    traces = [t for t in drawn.data if t.xaxis == axis and t.customdata is not None]
    rows = np.concatenate([t.customdata for t in traces])
    xy = np.concatenate([np.stack([t.x, t.y], 1) for t in traces])
    return xy[np.argsort(rows)], np.sort(rows)


def test_every_point_is_drawn_once_where_it_lies():
    dataset = make()
    drawn = figure(dataset, View(method="pca"))
    for number, layer in enumerate(dataset["layer"].values):
        xy, rows = points_of(drawn, "x" if number == 0 else f"x{number + 1}")
        assert list(rows) == list(range(90))
        np.testing.assert_array_equal(xy, dataset["coordinates"].sel({"layer": layer, "method": "pca"}).values)


def test_a_class_is_one_trace_of_one_colour_with_compact_arrays():
    drawn = figure(make(), View(layer="logits"))
    cats = next(t for t in drawn.data if t.name == "cats")
    assert cats.type == "scattergl"
    assert cats.marker.color == class_colors(3)[0]
    assert cats.x.dtype == np.float32
    assert cats.customdata.dtype == np.int32
    assert sum(t.name == "cats" for t in drawn.data) == 1
    none = next(t for t in drawn.data if t.name == "no class")
    assert none.marker.color == LIGHT.no_class


def test_splits_are_shapes():
    dataset = make()
    drawn = figure(dataset, View(layer="logits"))
    dogs = next(t for t in drawn.data if t.name == "dogs")
    shape_of = {0: 0, 1: 2, 2: 4}  # plotly's circle, diamond, x
    expected = [shape_of[int(dataset["split"].values[row])] for row in dogs.customdata]
    assert list(dogs.marker.symbol) == expected
    assert {t.name: t.marker.symbol for t in drawn.data[-3:]} == {"train": "circle", "val": "diamond", "excluded": "x"}


def test_all_layers_are_in_one_figure_and_the_legend_has_each_class_once():
    drawn = figure(make(), View())
    assert [a.text.split("</b>")[0] for a in drawn.layout.annotations[:4]] == [
        "<b>input",
        "<b>block1",
        "<b>block2",
        "<b>logits",
    ]
    assert sum(bool(t.showlegend) for t in drawn.data if t.name == "cats") == 1
    assert sum(t.name == "cats" for t in drawn.data) == 4


def test_trustworthiness_chance_epoch_and_variance_are_printed():
    text = figure(make(), View(layer="block1", method="pca")).to_json()
    assert "trust 0.93, chance 0.51" in text
    assert "PCA of block1 · epoch 12" in text
    assert "PC1 (31%)" in text
    assert "PC2 (12%)" in text


def test_classes_and_selection_of_the_view():
    drawn = figure(make(), View(layer="logits", classes=(1, -1), selection=(1, 4, 5)))
    named = [t.name for t in drawn.data if t.customdata is not None]
    assert named == ["dogs", "no class"]
    dogs = drawn.data[0]
    assert [dogs.customdata[i] for i in dogs.selectedpoints] == [1, 4]


def test_axes_are_square():
    layout = figure(make(), View()).layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.yaxis3.scaleanchor == "x3"


@pytest.mark.parametrize(
    "dataset",
    [
        make(layers=("logits",)),
        make(n=4, n_classes=1),
        make(names=False),
        make(n_classes=3).assign(label=("sample", np.full(90, -1))),
        make().drop_vars(["trustworthiness", "trustworthiness_chance", "explained_variance_ratio"]),
    ],
    ids=["one layer", "one class", "no names", "no labels", "bare"],
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_small_and_bare_datasets_are_drawn(dataset, theme):
    for method in ("pca", "umap"):
        figure(dataset, View(method=method, theme=theme)).to_json()


def test_missing_coordinates_are_left_out_and_said():
    dataset = make(layers=("input", "block1"))
    dataset["coordinates"][1, :] = np.nan
    dataset["coordinates"][0, 0, 5] = np.nan
    drawn = figure(dataset, View(method="pca"))
    assert list(points_of(drawn)[1]) == [i for i in range(90) if i != 5]
    assert "no such map of this layer" in drawn.to_json()


@pytest.mark.parametrize(
    ("view", "said"), [(View(layer="block9"), "block9.*input, block1"), (View(method="tsne"), "tsne.*pca, umap")]
)
def test_what_is_not_there_is_said(view, said):
    with pytest.raises(UserError, match=said):
        figure(make(), view)


def test_unknown_themes_are_refused():
    with pytest.raises(UserError, match="light or dark"):
        View(theme="blue")


def test_labels_stand_at_medians_and_give_way_to_larger_classes():
    points = np.array([[0, 0]] * 5 + [[0.01, 0]] * 3 + [[1, 1]] * 4 + [[100, np.nan]], float)
    labels = np.array([0] * 5 + [1] * 3 + [2] * 4 + [0])
    assert label_positions(points, labels, [0, 1, 2]) == {0: (0, 0), 2: (1, 1)}
    assert label_positions(points, labels, [1, 2]) == {1: (0.01, 0), 2: (1, 1)}
    assert label_positions(points * np.nan, labels, [0]) == {}


def test_without_umap_the_default_is_the_method_there_is():
    both = make()
    alone = figure(both.sel({"method": ["pca"]}), View())
    assert alone.to_json() == figure(both, View(method="pca")).to_json()
    assert figure(both, View()).to_json() == figure(both, View(method="umap")).to_json() != alone.to_json()
