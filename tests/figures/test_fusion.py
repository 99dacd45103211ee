"""From no input to both, step by step, and what FiLM does."""

import numpy as np
import pytest
import xarray as xr

from repviz.figures.fusion import figure, over_epochs
from repviz.figures.view import View


def make(shapley=(0.5, 0.1), blocks=2, scale=1.0):
    accuracy = [0.2, 0.7, 0.3, 0.2 + sum(shapley)]
    names = [f"block{k + 1}" for k in range(blocks)]
    variables = {
        "shapley": ("modality", np.array(shapley)),
        "shapley_error": ("modality", [0.02, np.nan]),
        "accuracy": ("coalition", accuracy),
        "gamma_norm": ("block", scale * np.arange(1.0, blocks + 1)),
        "beta_norm": ("block", scale * np.arange(blocks)[::-1]),
    }
    coordinates = {
        "modality": ["embeddings", "tabular"],
        "coalition": ["none", "embeddings", "tabular", "both"],
        "block": np.array(names, dtype=str),
    }
    attrs = {"epoch": 3, "evaluated_on": "whole val set", "evaluated_rows": 70, "reference": "other rows"}
    return xr.Dataset(variables, coordinates, attrs)


@pytest.mark.parametrize("shapley", [(0.5, 0.1), (0.6, -0.1)])
def test_the_steps_lead_from_no_input_to_both(shapley):
    steps = figure(make(shapley), View()).data[0]
    assert list(steps.x) == ["none", "embeddings", "tabular", "both"]
    np.testing.assert_allclose(np.asarray(steps.base, float), [0, 0.2, 0.2 + shapley[0], 0])
    np.testing.assert_allclose(steps.y, [0.2, *shapley, 0.2 + sum(shapley)])
    assert steps.base[2] + steps.y[2] == pytest.approx(steps.y[3])
    assert steps.customdata[1] == f"+{100 * shapley[0]:.1f} ± 2.0"
    assert steps.customdata[2] == f"{100 * shapley[1]:+.1f}"


def test_coalitions_and_what_was_evaluated():
    drawn = figure(make(), View(theme="dark"))
    bars = next(trace for trace in drawn.data if trace.type == "bar" and trace.xaxis == "x2")
    np.testing.assert_allclose(bars.y, make()["accuracy"])
    assert "epoch 3 · whole val set, 70 rows" in drawn.layout.title.text
    assert "replaced by other rows" in drawn.layout.title.text


def test_film_has_a_panel_where_there_is_any():
    by_name = {trace.name: trace for trace in figure(make(), View()).data}
    np.testing.assert_allclose(by_name["gamma"].y, [1, 2])
    np.testing.assert_allclose(by_name["beta"].y, [1, 0])
    assert not {"gamma", "beta"} & {trace.name for trace in figure(make(blocks=0), View()).data}


def test_lines_over_epochs_with_their_errors():
    history = xr.concat([make((0.0, 0.0)), make(scale=2.0)], xr.Variable("epoch", [0, 4]))
    drawn = over_epochs(history, View())
    by_name = {trace.name: trace for trace in drawn.data}
    np.testing.assert_allclose(by_name["embeddings"].y, [0, 0.5])
    np.testing.assert_allclose(by_name["tabular"].y, [0, 0.1])
    np.testing.assert_allclose(by_name["accuracy, both real"].y, [0.2, 0.8])
    np.testing.assert_allclose(by_name["block2 gamma"].y, [2, 4])
    bands = [trace for trace in drawn.data if trace.fill == "toself"]
    np.testing.assert_allclose(bands[0].y, [-0.04, 0.46, 0.54, 0.04])
    assert len(bands[1].y) == 0  # its error is not known
    without = xr.concat([make(blocks=0), make(blocks=0)], xr.Variable("epoch", [0, 4]))
    assert len(over_epochs(without, View()).data) == 6
