"""Curves of several runs: each its own values, gaps and best epoch."""

import numpy as np
import xarray as xr

from repviz.figures.comparison import COLUMNS, between_figure, figure
from repviz.figures.view import View

FIRST = [
    {"epoch": 0, "val_loss": 3.0, "val_accuracy": 0.9},
    {"epoch": 1, "val_loss": 2.0, "val_accuracy": 0.5, "lr": 0.1},
    {"epoch": 3, "val_loss": 1.0, "val_accuracy": 0.4, "lr": 0.2},
]
SECOND = [{"epoch": 0, "val_loss": 5.0}]


def test_every_run_has_a_line_in_every_panel():
    drawn = figure({"one": FIRST, "two": SECOND}, View(theme="dark"))
    assert len(drawn.data) == 2 * len(COLUMNS)
    loss = [t for t in drawn.data if t.xaxis in (None, "x")]
    assert [t.name for t in loss] == ["one", "two"]
    np.testing.assert_array_equal(loss[0].x, [0, 1, 2, 3])
    np.testing.assert_array_equal(loss[0].y, [3, 2, np.nan, 1])
    assert len({t.line.color for t in drawn.data}) == 2
    assert [t.showlegend for t in drawn.data].count(True) == 2


def test_the_ring_is_at_the_best_trained_epoch():
    loss = figure({"one": FIRST}, View()).data[0]
    assert [e for e, s in zip(loss.x, loss.marker.symbol, strict=True) if s == "circle-open"] == [1]


def test_log_is_for_losses_alone_and_a_run_without_rows_is_drawn():
    drawn = figure({"one": FIRST, "empty": []}, View(options={"log": True}))
    assert (drawn.layout.yaxis.type, drawn.layout.yaxis2.type) == ("log", None)


def test_a_matrix_for_each_other_run_with_its_epoch():
    def between(across, epoch):
        values = np.linspace(0, 1, 2 * len(across)).reshape(2, -1)
        names = {"layer": ["block1", "logits"], "layer_other": across}
        facts = {"points": 30, "epoch": 7, "epoch_other": epoch}
        return xr.Dataset({"cka": (("layer", "layer_other"), values)}, names, facts)

    others = {f"run{k}": between(["block1", "logits", "extra"][:k], k) for k in (1, 2, 3, 2)}
    drawn = between_figure("open", {**others, "last": between(["logits"], 9)}, View())
    assert [list(trace.x) for trace in drawn.data][:3] == [
        ["block1"],
        ["block1", "logits"],
        ["block1", "logits", "extra"],
    ]
    np.testing.assert_allclose(drawn.data[1].z, [[0, 1 / 3], [2 / 3, 1]], rtol=1e-6)
    assert [trace.showscale for trace in drawn.data] == [True, False, False, False]
    titles = [note.text for note in drawn.layout.annotations]
    assert (titles[0], titles[-1]) == ("run1 · epoch 1", "last · epoch 9")
    assert "open at epoch 7" in drawn.layout.title.text
    assert "30 points" in drawn.layout.title.text
