"""The data map, the table of suspects and the lines, drawn as they are in the dataset."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.dynamics import figure, over_epochs
from repviz.figures.view import View
from repviz.theme import LIGHT

LABELS = np.array([0, 1, 2, 0, 1])


def make(n_suspects=3, trained=True, shift=0.0, classes=("cats", "dogs", "eels")):
    random = np.random.default_rng(0)
    rows = np.array([10, 11, 12, 13, 14], np.int32)
    variables = {"class_name": ("class", np.array(classes))}
    for prefix, dim, n in (("train_", "row", 5), ("", "sample", 4)):
        for name in ("confidence", "mean_confidence", "variability", "suspicion", "correct"):
            values = random.random(n) + shift if name != "correct" else np.arange(n) % 2
            values = values if trained or name in ("confidence", "correct") else np.full(n, np.nan)
            variables[prefix + name] = (dim, values.astype(np.float32))
        variables[prefix + "forgetting"] = (dim, np.arange(n, dtype=np.int16) - 1)
        variables[prefix + "learned"] = (dim, np.array([1, 1, 0, 0, -1][:n], np.int8))
    variables |= {
        "train_label": ("row", LABELS.astype(np.int16)),
        "label": ("sample", np.array([0, 2, 1, -1])),
        "split": ("sample", np.array([0, 1, 1, 2], np.int8)),
        "suspect_row": ("suspect", np.array([12, 10, -1][:n_suspects], np.int32)),
        "suspect_label": ("suspect", np.array([2, 0, -1][:n_suspects], np.int16)),
        "suspect_rival": ("suspect", np.array([0, 1, -1][:n_suspects], np.int16)),
        "suspect_suspicion": ("suspect", np.array([0.9, 0.8, np.nan][:n_suspects], np.float32)),
        "suspect_id": ("suspect", np.array(["a-name-that-is-far-too-long-for-a-line", "", ""][:n_suspects])),
    }
    variables["suspicion"][1][3] = np.nan
    return xr.Dataset(variables, {"row": rows}, {"epoch": 4, "trained_epochs": 4 if trained else 0})


def traces(drawn, kind):
    return [trace for trace in drawn.data if trace.type == kind]


def test_the_map_has_every_training_row_and_rings_around_the_suspects():
    dataset = make()
    points, rings = traces(figure(dataset, View()), "scattergl")
    np.testing.assert_array_equal(points.x, dataset["train_variability"])
    np.testing.assert_array_equal(points.y, dataset["train_mean_confidence"])
    np.testing.assert_array_equal(points.marker.color, dataset["train_suspicion"])
    np.testing.assert_array_equal(points.customdata, dataset["row"])
    assert list(points.text) == ["cats", "dogs", "eels", "cats", "dogs"]
    np.testing.assert_array_equal(rings.x, dataset["train_variability"].values[[2, 0]])


def test_the_table_names_the_suspects_that_there_are():
    (table,) = traces(figure(make(), View(theme="dark")), "table")
    point, label, rival, suspicion = table.cells["values"]
    assert list(point) == ["a-name-that-is-far-to…", "row 10"]
    assert (list(label), list(rival), list(suspicion)) == (["eels", "cats"], ["cats", "dogs"], ["0.900", "0.800"])


def test_chosen_classes_and_other_colors():
    drawn = figure(make(), View(classes=(0,), options={"color": "class"}))
    points, _ = traces(drawn, "scattergl")
    assert (points.name, list(points.customdata)) == ("cats", [10, 13])
    assert list(traces(drawn, "table")[0].cells["values"][0]) == ["row 10"]
    points, _ = traces(figure(make(), View(options={"color": "forgetting"})), "scattergl")
    np.testing.assert_array_equal(points.marker.color, [-1, 0, 1, 2, 3])
    with pytest.raises(UserError, match="mood"):
        figure(make(), View(options={"color": "mood"}))


def test_the_samples_points_with_their_split_and_a_selection():
    dataset = make()
    (points,) = traces(figure(dataset, View(selection=(2, 3), options={"points": "sample"})), "scattergl")
    np.testing.assert_array_equal(points.customdata, [0, 1, 2])  # the fourth has no class
    np.testing.assert_array_equal(points.x, dataset["variability"][:3])
    np.testing.assert_array_equal(points.marker.symbol, [0, 2, 2])
    assert list(points.selectedpoints) == [2]


def test_shares_of_suspicion_are_of_all_points():
    train, val = traces(figure(make(), View()), "scatter")
    assert sum(train.y) == pytest.approx(1)
    assert sum(val.y) == pytest.approx(1)
    suspicion = make()["suspicion"].values[1:3]
    np.testing.assert_array_equal(np.flatnonzero(val.y), np.sort((suspicion * 40).astype(int)))


def test_before_training_it_says_when_the_course_begins():
    drawn = figure(make(trained=False), View())
    assert "nothing trained yet" in drawn.layout.title.text
    assert any("begins with the first trained epoch" in note.text for note in drawn.layout.annotations)
    assert not any(note.text == "ambiguous" for note in drawn.layout.annotations)


def test_a_legend_of_classes_only_where_it_can_be_read():
    few = traces(figure(make(), View(options={"color": "class"})), "scattergl")[0]
    many = make(classes=tuple(f"class {k}" for k in range(40)))
    assert few.showlegend
    assert not traces(figure(many, View(options={"color": "class"})), "scattergl")[0].showlegend


def test_lines_over_epochs():
    history = xr.concat([make(trained=False), make(shift=0.1)], xr.Variable("epoch", [0, 4]))
    drawn = over_epochs(history, View())
    by_name = {trace.name: trace for trace in drawn.data}
    train = history["train_confidence"].values
    np.testing.assert_allclose(by_name["training points"].y, np.median(train, axis=1))
    np.testing.assert_allclose(by_name["most suspect at the end"].y, np.median(train[:, [0, 2]], axis=1))
    val = history["confidence"].values[:, 1:3]
    np.testing.assert_allclose(by_name["val points of the sample"].y, np.median(val, axis=1))
    np.testing.assert_allclose(by_name["right at some epoch"].y, [0.5, 0.5])  # of the four that have a class
    np.testing.assert_allclose(by_name["forgotten at least once"].y, [0.75, 0.75])
    band = next(trace for trace in drawn.data if trace.fill == "toself")
    np.testing.assert_allclose(band.y[:2], np.quantile(train, 0.1, axis=1))
    assert band.fillcolor == LIGHT.splits[0]
