"""The decision surface's picture: regions the right way round, pale points far off, agreement in the title."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.surface import beside, choices, fading, figure, over_epochs
from repviz.figures.surface_shades import SHADES, shading
from repviz.figures.view import View
from repviz.theme import class_colors


def make(n=30, n_classes=3, epoch=7, seed=0):
    rng = np.random.default_rng(seed)
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
        "unit_activation": (("unit", "y", "x"), rng.random((2, 4, 6)).astype(np.float32)),
        "unit_sample_activation": (("unit", "sample"), rng.random((2, n)).astype(np.float32)),
        "label": ("sample", labels),
        "split": ("sample", (np.arange(n) % 3).astype(np.int8)),
        "class_name": ("class", np.array([f"class {k}" for k in range(n_classes)])),
        "surrogate_prediction": (("map_y", "map_x"), np.arange(20).reshape(5, 4) % n_classes),
        "surrogate_xy": (("sample", "axis"), rng.normal(size=(n, 2))),
        "surrogate_x": ("map_x", np.arange(4.0)),
        "surrogate_y": ("map_y", np.arange(5.0)),
        "surrogate_agreement": ((), 0.9),
    }
    coordinates = {"x": np.linspace(-3, 3, 6), "y": np.linspace(-1, 1, 4), "unit": ["block2:7", "block2:0"]}
    return xr.Dataset(variables, coordinates, {"epoch": epoch, "layer": "block2"})


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


def against(earlier, epoch, **options):
    return View(beside={epoch: earlier[["probability", "prediction"]]}, options={"against": str(epoch)} | options)


@pytest.mark.parametrize("shade", ["confidence", "entropy", "margin", "probability"])
def test_a_difference_is_later_minus_earlier_whichever_is_drawn(shade):
    early, late = make(epoch=2, seed=1), make(epoch=7)
    options = {"shade": shade, "class": "2"}
    expected = np.subtract(*(shading(one["probability"].values, shade, 2) for one in (late, early)))
    forward = figure(late, against(early, 2, **options))
    np.testing.assert_allclose(forward.data[0].z, expected, atol=1e-6)
    assert forward.data[0].zmax == -forward.data[0].zmin == pytest.approx(np.abs(expected).max())
    assert "epoch 7 − epoch 2" in forward.layout.title.text
    assert "62% of the points" in forward.layout.title.text  # how far to trust it is said all the same
    backward = figure(early, against(late, 7, **options))
    np.testing.assert_allclose(backward.data[0].z, expected, atol=1e-6)
    assert "epoch 7 − epoch 2" in backward.layout.title.text


def test_of_classes_only_those_cells_are_drawn_that_changed():
    early, late = make(epoch=2, seed=1), make(epoch=7)
    drawn = figure(late, against(early, 2))
    changed = early["prediction"].values != late["prediction"].values
    z = np.array(drawn.data[0].z)
    np.testing.assert_array_equal(np.isfinite(z), changed)
    np.testing.assert_array_equal(z[changed], late["prediction"].values[changed])
    assert f"{changed.mean():.0%} of the plane changed class" in drawn.layout.title.text


def test_probability_of_one_class():
    dataset = make()
    heat = figure(dataset, View(options={"shade": "probability", "class": 1})).data[0]
    np.testing.assert_allclose(heat.z, dataset["probability"][..., 1])
    assert heat.colorscale[1][1] == class_colors(2)[1]
    assert heat.colorbar.title.text == "probability of class 1"
    for wrong in ("7", "x", "-1"):
        with pytest.raises(UserError, match="class="):
            figure(dataset, View(options={"shade": "probability", "class": wrong}))


def test_contours_are_of_what_is_shaded_and_on_classes_of_the_confidence():
    early, late = make(epoch=2, seed=1), make(epoch=7)
    for shade in SHADES:
        drawn = figure(late, View(options={"shade": shade, "contours": "shown"}))
        line = next(t for t in drawn.data if t.type == "contour")
        measure = "confidence" if shade == "class" else shade
        np.testing.assert_allclose(line.z, shading(late["probability"].values, measure), rtol=1e-6)
    change = figure(late, against(early, 2, shade="margin", contours="shown"))
    line = next(t for t in change.data if t.type == "contour")
    np.testing.assert_array_equal(line.z, change.data[0].z)
    assert line.contours.start < 0 < line.contours.end
    assert not [t for t in figure(late, View()).data if t.type == "contour"]


def test_which_epoch_is_the_reference():
    epochs = [0, 2, 5, 9]
    asked = {"first": [0], "previous": [2], "9": [9], "5": [], "4": [], "nothing": []}
    assert {name: beside(View(options={"against": name}), 5, epochs) for name in asked} == asked
    assert beside(View(options={"against": "previous"}), 0, epochs) == []
    assert beside(View(options={"against": "first", "map": "surrogate"}), 5, epochs) == []
    with pytest.raises(UserError, match=r"against='last'.*first, previous"):
        beside(View(options={"against": "last"}), 5, epochs)
    first = figure(make(epoch=0), View(options={"against": "previous"}))
    assert "no other epoch to set it against" in first.layout.title.text


def test_a_surface_on_another_grid_is_not_subtracted():
    late = make()
    with pytest.raises(UserError, match="another grid"):
        figure(late, against(late.assign_coords(x=late["x"] + 1), 2))
    with pytest.raises(UserError, match="another grid"):
        figure(late, against(make(n_classes=4), 2))


def test_choices_are_those_that_matter():
    def offered(**options):
        return choices(make(), View(options=options), [0, 5])

    assert offered()["against"][0] == ("nothing", "nothing")
    assert [value for value, _ in offered()["against"]][1:] == ["first", "previous", "0", "5"]
    assert offered(shade="probability")["class"] == [("0", "class 0"), ("1", "class 1"), ("2", "class 2")]
    assert offered(map="surrogate") == {"shade": [], "contours": []}
    assert choices(make(), View(), [5]) == {}


@pytest.mark.parametrize("n_classes", [1, 200])
@pytest.mark.parametrize("shade", SHADES)
def test_one_class_and_200(n_classes, shade):
    dataset = make(n=210, n_classes=n_classes)
    options = {"shade": shade, "contours": "shown", "class": str(n_classes - 1)}
    for view in (View(options=options), against(dataset, 3, **options)):
        drawn = figure(dataset, view)
        assert np.isfinite(np.array(drawn.data[0].z, float)).any() == (shade != "class" or not view.beside)
        assert drawn.to_json()
