"""Learning curves: what is drawn is what was measured, gaps stay gaps, the right epochs are marked."""

import math

import numpy as np
import pandas as pd
import pytest

from repviz.errors import UserError
from repviz.figures.metrics import PANELS, best_epoch, figure, measured, panel
from repviz.figures.view import View

ROWS = [
    {"epoch": 0, "step": 0, "val_loss": 3.0, "val_accuracy": 0.9},
    {"epoch": 1, "step": 50, "train_loss": 2.0, "val_loss": 2.5, "val_accuracy": 0.3, "lr": 1e-3, "grad_norm": 4.0},
    {"epoch": 2, "step": 100, "train_loss": 1.5, "lr": 1e-3, "grad_norm": 3.0},
    {"epoch": 4, "step": 200, "train_loss": 1.0, "val_loss": 2.1, "val_accuracy": 0.5, "excl_loss": 2.9, "lr": 5e-4},
    {"epoch": 5, "step": 250, "train_loss": 0.9, "val_loss": 2.2, "val_accuracy": 0.5, "excl_loss": 2.8, "lr": 5e-4},
]


def trace(drawn, name):
    return next(t for t in drawn.data if t.name == name)


def marks(drawn, name):
    return [shape.x0 for shape in drawn.layout.shapes if shape.name == name]


def test_gaps_stay_gaps_and_are_not_zero():
    drawn = panel(ROWS, "loss", View())
    val = trace(drawn, "val")
    assert list(val.x) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(val.y, [3.0, 2.5, math.nan, math.nan, 2.1, 2.2])
    assert val.connectgaps is False
    assert "markers" in val.mode  # a value between two gaps has no line


def test_a_column_that_was_never_measured_is_not_drawn():
    rows = [{k: v for k, v in row.items() if k != "excl_loss"} for row in ROWS]
    assert [t.name for t in panel(ROWS, "loss", View()).data] == ["train", "val", "excluded"]
    assert [t.name for t in panel(rows, "loss", View()).data] == ["train", "val"]


def test_rows_and_table_draw_the_same():
    table = pd.DataFrame(ROWS).sample(frac=1, random_state=0)
    assert panel(table, "loss", View()).to_json() == panel(ROWS, "loss", View()).to_json()


def test_the_best_epoch_is_the_first_best_one_and_never_the_untrained():
    assert best_epoch(ROWS) == 4
    assert best_epoch(ROWS, "val_loss") == 4
    assert best_epoch(ROWS, "grad_norm") == 1
    assert best_epoch(ROWS[:1]) is None
    assert best_epoch(ROWS, "no_such") is None
    assert best_epoch([]) is None


def test_current_and_best_epoch_are_marked_in_every_panel():
    whole = figure(ROWS, View(options={"epoch": 2}))
    assert marks(whole, "current epoch") == [2] * len(PANELS)
    assert marks(whole, "best epoch") == [4] * len(PANELS)
    assert whole.layout.title.text.endswith("epoch 2")
    assert len({shape.xref for shape in whole.layout.shapes}) == len(PANELS)


def test_without_an_epoch_none_is_marked():
    drawn = panel(ROWS, "accuracy", View())
    assert marks(drawn, "current epoch") == []
    assert drawn.layout.title.text == "Accuracy"


def test_monitor_decides_what_is_best():
    rows = [*ROWS, {"epoch": 6, "val_loss": 1.0, "val_accuracy": 0.1}]
    assert marks(panel(rows, "loss", View(options={"monitor": "val_loss"})), "best epoch") == [6]


def test_log_scale_where_it_makes_sense():
    assert panel(ROWS, "loss", View(options={"log": True})).layout.yaxis.type == "log"
    assert panel(ROWS, "accuracy", View(options={"log": True})).layout.yaxis.type is None


def test_a_rate_is_drawn_from_zero():
    assert panel(ROWS, "lr", View()).layout.yaxis.rangemode == "tozero"


@pytest.mark.parametrize("rows", [[], ROWS[:1], pd.DataFrame(), [{"epoch": 7}]])
@pytest.mark.parametrize("name", PANELS)
def test_little_or_nothing_is_drawn_too(rows, name):
    panel(rows, name, View(options={"epoch": 0})).to_json()
    figure(rows, View()).to_json()


def test_axes_have_titles_in_both_themes():
    for theme in ("light", "dark"):
        for name in PANELS:
            layout = panel(ROWS, name, View(theme=theme)).layout
            assert layout.xaxis.title.text == "epoch"
            assert layout.yaxis.title.text


def test_measured_reindexes_and_keeps_the_last_of_two_rows():
    table = measured([{"epoch": 1, "val_loss": 9.0}, {"epoch": 1, "val_loss": 8.0}, {"epoch": 3, "val_loss": 7.0}])
    assert list(table.index) == [1, 2, 3]
    np.testing.assert_array_equal(table["val_loss"], [8.0, math.nan, 7.0])


def test_unknown_panels_are_named():
    with pytest.raises(UserError, match="no panel 'los'; there are loss"):
        panel(ROWS, "los", View())


def test_a_panel_without_values_says_so_where_it_is():
    whole = figure(ROWS[:1], View())
    said = {(a.xref, a.yref) for a in whole.layout.annotations if a.text == "not measured yet"}
    assert said == {("x3 domain", "y3 domain"), ("x4 domain", "y4 domain"), ("x5 domain", "y5 domain")}
    assert "not measured yet" in panel(ROWS[:1], "lr", View()).to_json()
    assert "not measured yet" not in panel(ROWS, "lr", View()).to_json()


def test_a_single_epoch_has_room_and_few_have_whole_ticks():
    assert list(panel(ROWS[:1], "loss", View()).layout.xaxis.range) == [-0.5, 1.5]
    assert panel(ROWS, "loss", View()).layout.xaxis.dtick == 1
    many = [{"epoch": e, "val_loss": 1.0} for e in range(30)]
    assert panel(many, "loss", View()).layout.xaxis.dtick is None


def test_the_baseline_is_a_dashed_line_for_which_the_axis_makes_room():
    rows = [{"epoch": k, "val_accuracy": 0.1 * k, "val_loss": 3.0 - k} for k in range(4)]
    view = View(options={"baseline": {"val_accuracy": 0.9, "val_f1_macro": 0.8}})
    line = panel(rows, "accuracy", view).data[-1]
    assert (list(line.x), list(line.y), line.line.dash) == ([0, 3], [0.9, 0.9], "dash")
    assert "0.900" in panel(rows, "accuracy", view).layout.annotations[0].text
    assert all(trace.line.dash != "dash" for trace in panel(rows, "loss", view).data)
    alone = panel(rows[:1], "accuracy", view).data[-1]
    assert list(alone.x) == [0, 1]
    assert all(trace.line.dash != "dash" for trace in panel([], "accuracy", view).data)


def test_words_of_two_baselines_at_nearly_the_same_height_do_not_lie_over_each_other():
    rows = [{"epoch": k, "val_f1_macro": 0.3, "val_f1_confidence": 0.4} for k in range(3)]
    view = View(options={"baseline": {"val_f1_macro": 0.983, "val_f1_confidence": 0.981}})
    words = {note.y: note.yanchor for note in panel(rows, "f1", view).layout.annotations if "regression" in note.text}
    assert words == {0.981: "top", 0.983: "bottom"}
