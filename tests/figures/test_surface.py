"""The decision surface's picture: regions the right way round, pale points far off, agreement in the title."""

import numpy as np
import pytest
import xarray as xr

from repviz.figures.surface import fading, figure, over_epochs
from repviz.figures.surface_shades import shading
from repviz.figures.view import View
from repviz.theme import class_colors


def make(n=30, n_classes=3):
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(n_classes), (4, 6)).astype(np.float32)
    labels = np.arange(n) % n_classes
    labels[-2:] = -1
    variables = {
        "probability": (("y", "x", "class"), probability),
        "prediction": (("y", "x"), probability.argmax(2)),
        "sample_xy": (("sample", "axis"), rng.normal(size=(n, 2))),
        "off_plane_distance": ("sample", np.linspace(0, 4, n)),
        "agreement": ((), 0.625),
        "explained_variance_ratio": ("axis", [0.21, 0.08]),
        "label": ("sample", labels),
        "split": ("sample", (np.arange(n) % 3).astype(np.int8)),
        "class_name": ("class", np.array([f"class {k}" for k in range(n_classes)])),
        "surrogate_prediction": (("map_y", "map_x"), np.arange(20).reshape(5, 4) % n_classes),
        "surrogate_xy": (("sample", "axis"), rng.normal(size=(n, 2))),
        "surrogate_x": ("map_x", np.arange(4.0)),
        "surrogate_y": ("map_y", np.arange(5.0)),
        "surrogate_agreement": ((), 0.9),
    }
    coordinates = {"x": np.linspace(-3, 3, 6), "y": np.linspace(-1, 1, 4)}
    return xr.Dataset(variables, coordinates, {"epoch": 7, "layer": "block2"})


def test_regions_are_the_predictions_in_the_classes_colours():
    dataset = make()
    regions = figure(dataset, View()).data[0]
    np.testing.assert_array_equal(regions.z, dataset["prediction"])
    np.testing.assert_array_equal(regions.x, dataset["x"])
    assert regions.text[2, 5] == f"class {int(dataset['prediction'][2, 5])}"
    assert not regions.showscale  # classes are no continuous scale
    for k, color in enumerate(class_colors(3)):
        place = (k - regions.zmin) / (regions.zmax - regions.zmin)
        below = [entry for entry in regions.colorscale if entry[0] <= place][-1]
        above = next(entry for entry in regions.colorscale if entry[0] >= place)
        assert below[1] == above[1] == color


def test_points_are_all_there_and_pale_far_from_the_plane():
    dataset = make()
    points = [t for t in figure(dataset, View()).data if t.type == "scattergl" and t.customdata is not None]
    rows = np.concatenate([t.customdata[:, 0] for t in points]).astype(int)
    assert sorted(rows) == list(range(30))
    xy = np.concatenate([np.stack([t.x, t.y], 1) for t in points])
    np.testing.assert_allclose(xy, dataset["sample_xy"].values[rows], rtol=1e-6)
    opacity = np.concatenate([t.marker.opacity for t in points])[np.argsort(rows)]
    assert opacity[0] == 1
    assert (np.diff(opacity) < 0).all()
    assert opacity[-1] == pytest.approx(0.3)
    assert (fading(np.zeros(3)) == 1).all()


def test_shades_of_certain_and_of_uniform():
    probability = np.array([[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.3, 0.2, 0]])
    np.testing.assert_allclose(shading(probability, "confidence"), [1, 0.25, 0.5])
    np.testing.assert_allclose(shading(probability, "margin"), [1, 0, 0.2])
    entropy = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2)) / np.log(4)
    np.testing.assert_allclose(shading(probability, "entropy"), [0, 1, entropy], atol=1e-12)
    drawn = figure(make(), View(options={"shade": "margin"}))
    np.testing.assert_allclose(drawn.data[0].z, shading(make()["probability"].values, "margin"))


def test_the_title_says_how_far_to_trust_it():
    assert "62% of the points" in figure(make(), View()).layout.title.text
    surrogate = figure(make(), View(options={"map": "surrogate"}))
    assert "map of block2" in surrogate.layout.title.text
    assert "90% of the val points" in surrogate.layout.title.text
    np.testing.assert_array_equal(surrogate.data[0].z, make()["surrogate_prediction"])


def test_classes_of_the_view():
    drawn = figure(make(), View(classes=(1, -1), selection=(1, 5), theme="dark"))
    points = [t for t in drawn.data if t.type == "scattergl" and t.customdata is not None]
    assert [t.name for t in points] == ["class 1", "no class"]
    assert [t.name for t in drawn.data if t.type == "scattergl" and t.customdata is None] == ["class 1", "no class"]
    assert [points[0].customdata[i][0] for i in points[0].selectedpoints] == [1]


def test_agreement_over_epochs():
    drawn = over_epochs(xr.concat([make(), make()], xr.Variable("epoch", [0, 1])), View())
    assert list(drawn.data[0].y) == [0.625, 0.625]
    assert list(drawn.data[1].y) == [0.9, 0.9]
