"""Lines between points: mean and band of the ends' classes, and bars of switches."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.figures.interpolation import OPTIONS, choices, figure, over_epochs
from repviz.figures.interpolation_pairs import SORTS, believed, order, pair_facts
from repviz.figures.view import View


def make(n=10, n_same=4, steps=5, seed=0, n_classes=3):
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], (n, 1))
    labels[:n_same] = n_classes - 1
    variables = {
        "probability": (("pair", "t", "class"), rng.dirichlet(np.ones(n_classes), (n, steps)).astype(np.float32)),
        "pair_index": (("pair", "end"), np.arange(2 * n).reshape(n, 2)),
        "pair_label": (("pair", "end"), labels),
        "same_class": ("pair", np.arange(n) < n_same),
        "switches": ("pair", np.arange(n) % 3),
        "mean": (("relation", "end", "t"), rng.random((2, 2, steps))),
    }
    coordinates = {"t": np.linspace(0, 1, steps), "relation": ["same class", "different class"]}
    return xr.Dataset(variables, coordinates, {"epoch": 2})


def trace(drawn, name):
    return next(t for t in drawn.data if t.name == name)


def test_curves_are_means_over_the_pairs_of_each_kind():
    dataset = make()
    drawn = figure(dataset, View())
    probability = dataset["probability"].values
    np.testing.assert_allclose(trace(drawn, "their class").y, probability[:4, :, 2].mean(0))
    np.testing.assert_allclose(trace(drawn, "class of one end").y, probability[4:, :, 0].mean(0))
    np.testing.assert_allclose(trace(drawn, "class of the other end").y, probability[4:, :, 1].mean(0))
    bands = [t for t in drawn.data if t.type == "scatter" and t.fill == "toself"]
    assert len(bands) == 3
    np.testing.assert_allclose(bands[0].y[:5], np.quantile(probability[:4, :, 2], 0.1, axis=0), rtol=1e-6)


def test_bars_are_shares_of_pairs():
    bars = [t for t in figure(make(), View()).data if t.type == "bar"]
    np.testing.assert_allclose(bars[0].y[:3], [0.5, 0.25, 0.25])
    np.testing.assert_allclose(bars[1].y[:3], [2 / 6, 2 / 6, 2 / 6])


def test_every_pair_as_a_line_with_gaps():
    drawn = figure(make(), View(options={"shows": "pairs"}))
    lines = [t for t in drawn.data if t.type == "scatter" and len(t.x) == 6 * 6]
    assert len(lines) == 2
    assert np.isnan(lines[0].y.reshape(6, 6)[:, -1]).all()
    np.testing.assert_allclose(lines[0].y.reshape(6, 6)[:, :-1], make()["probability"][4:, :, 0])


def test_selection_and_classes_choose_pairs():
    assert figure(make(), View(selection=(3,))).layout.title.text.endswith("· 1 pair")
    assert "4 pairs" in figure(make(), View(classes=(2,))).layout.title.text


@pytest.mark.parametrize(("n", "n_same"), [(0, 0), (1, 1), (1, 0)])
def test_one_pair_and_none(n, n_same):
    drawn = figure(make(n, n_same), View())
    assert drawn.data
    assert sum(a.text == "no such pair" for a in drawn.layout.annotations) == 2 - n


def test_mean_switches_over_epochs():
    datasets = [make(), make()]
    datasets[1]["switches"][:] = 2
    drawn = over_epochs(xr.concat(datasets, xr.Variable("epoch", [0, 4])), View())
    np.testing.assert_allclose(drawn.data[0].y, [0.75, 2])
    np.testing.assert_allclose(drawn.data[1].y, [1.0, 2])


# Two pairs of three steps and three classes: one within class 0, one from class 0 to class 1.
WAYS = np.array(
    [
        [[0.9, 0.1, 0.0], [0.3, 0.1, 0.6], [0.8, 0.2, 0.0]],
        [[0.8, 0.1, 0.1], [0.4, 0.4, 0.2], [0.1, 0.7, 0.2]],
    ]
)
ENDS = np.array([[0, 0], [0, 1]])


def test_what_happens_on_the_way():
    facts = pair_facts(WAYS, ENDS, np.array([2, 1]))
    np.testing.assert_allclose(facts["switches"], [2, 1])
    np.testing.assert_allclose(facts["lowest probability"], [0.3, 0.4])
    np.testing.assert_allclose(facts["another class"], [0.7, 0.2])
    np.testing.assert_allclose(believed(WAYS, ENDS), [[0.9, 0.3, 0.8], [0.9, 0.8, 0.8]])
    assert list(facts) == list(SORTS)


def test_pairs_on_whose_way_most_happens_come_first():
    facts = {"switches": np.array([1, 3, 1, 2]), "lowest probability": np.array([0.4, 0.9, 0.1, 0.4])}
    assert list(order(facts, "switches")) == [1, 3, 0, 2]
    assert list(order(facts, "lowest probability")) == [2, 0, 3, 1]


@pytest.mark.parametrize("sort", SORTS)
def test_sorted_rows_are_the_pairs_in_order_with_their_changes(sort):
    dataset = make()
    drawn = figure(dataset, View(options={"shows": "sorted", "sort": sort}))
    heats = [t for t in drawn.data if t.type == "heatmap"]
    probability, labels = dataset["probability"].values, dataset["pair_label"].values
    facts = pair_facts(probability, labels, dataset["switches"].values)
    for heat, members in zip(heats, (np.arange(4), np.arange(4, 10)), strict=True):
        rows = members[order({sort: facts[sort][members]}, sort)]
        np.testing.assert_allclose(heat.z, believed(probability, labels)[rows], rtol=1e-6)
    marks = [t for t in drawn.data if t.name == "the predicted class changes"]
    changes = np.count_nonzero(np.diff(probability[:4].argmax(2), axis=1))
    assert len(marks[0].x) == changes
    assert drawn.layout.yaxis.autorange == "reversed"  # the first row is on top


def test_one_pair_shows_its_classes_and_says_which_it_is():
    dataset = make(n_classes=12)
    drawn = figure(dataset, View(options={"shows": "one pair", "pair": "7"}))
    probability = dataset["probability"].values[7]
    np.testing.assert_allclose(trace(drawn, "class 0 (end)").y, probability[:, 0])
    np.testing.assert_allclose(trace(drawn, "class 1 (end)").y, probability[:, 1])
    assert len(drawn.data) == 9
    np.testing.assert_allclose(np.sum([t.y for t in drawn.data], axis=0), 1, rtol=1e-5)
    assert "pair 7: class 0 → class 1 · switches: 1" in drawn.layout.title.text
    assert drawn.layout.xaxis.title.text == "way from sample 14 to sample 15"
    with pytest.raises(UserError, match="pair='99'"):
        figure(dataset, View(options={"shows": "one pair", "pair": "99"}))


def test_pairs_to_choose_from_are_sorted_and_the_first_is_drawn():
    dataset = make()
    view = View(options={"shows": "one pair"}, classes=(2,))
    offered = choices(dataset, view, [2])["pair"]
    assert [value for value, _ in offered] == ["2", "1", "0", "3"]  # of 2, 1, 0 and 0 switches
    assert offered[0][1] == "2: within class 2"
    assert "pair 2:" in figure(dataset, view).layout.title.text
    assert choices(dataset, View(), [2]) == {"sort": []}
    history = xr.concat([make()], xr.Variable("epoch", [0]))[["switches", "mean"]]
    assert len(choices(history, view, [0])["pair"]) == 10


def test_over_epochs_the_means_along_the_way_and_the_chosen_pair():
    datasets = [make(seed=k) for k in range(2)]
    history = xr.concat(datasets, xr.Variable("epoch", [0, 4]))
    drawn = over_epochs(history, View(options={"shows": "one pair", "pair": "5"}))
    within, between = (t for t in drawn.data if t.type == "heatmap")
    for k, dataset in enumerate(datasets):
        np.testing.assert_allclose(within.z[:, k], dataset["mean"][0, 0], rtol=1e-6)
        np.testing.assert_allclose(between.z[:, k], dataset["mean"][1].sum("end"), rtol=1e-6)
    assert list(trace(drawn, "pair 5").y) == [2, 2]
    assert "pair 5" not in [t.name for t in over_epochs(history, View()).data]


@pytest.mark.parametrize("shows", OPTIONS["shows"])
@pytest.mark.parametrize(("n", "n_same", "n_classes"), [(0, 0, 3), (1, 1, 1), (1, 0, 2), (3, 1, 200)])
def test_runs_of_few_pairs_and_one_class_or_200(shows, n, n_same, n_classes):
    dataset = make(n, n_same, n_classes=n_classes)
    drawn = figure(dataset, View(options={"shows": shows}))
    assert drawn.to_json()
    assert drawn.data or n == 0
    history = xr.concat([dataset], xr.Variable("epoch", [0]))
    assert over_epochs(history, View(options={"shows": shows})).to_json()


def test_where_there_is_no_pair_of_a_kind_its_panels_say_so():
    dataset = make(n=3, n_same=0)
    dataset["mean"][0] = np.nan
    history = dataset.expand_dims(epoch=[0, 2])
    for drawn in (figure(dataset, View()), over_epochs(history, View())):
        said = [note for note in drawn.layout.annotations if note.text == "no such pair"]
        assert [note.xref for note in said] == ["x domain" if "·" in drawn.layout.title.text else "x2 domain"]
    assert not any(note.text == "no such pair" for note in figure(make(), View()).layout.annotations)
