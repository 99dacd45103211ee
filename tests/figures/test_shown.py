"""One output is one picture, whatever its names are."""

import numpy as np
import xarray as xr

from repviz.figures.projection import figure
from repviz.figures.shown import outputs
from repviz.figures.view import View

NAMES = ["input", "block1", "penultimate", "logits"]


def maps(epoch=0, *, dead=(), aliased=True):
    coordinates = np.random.default_rng(epoch).normal(size=(4, 1, 30, 2)).astype(np.float32)
    if aliased:
        coordinates[1] = coordinates[2]
    coordinates[list(dead)] = np.nan
    variables = {
        "coordinates": (("layer", "method", "sample", "component"), coordinates),
        "label": ("sample", np.arange(30) % 3),
        "split": ("sample", np.zeros(30, np.int8)),
    }
    return xr.Dataset(variables, {"layer": NAMES, "method": ["pca"]}, {"epoch": epoch})


def test_of_two_names_of_one_output_the_last_is_taken():
    assert outputs([maps()]) == ["input", "penultimate", "logits"]
    assert outputs([maps(), maps(1)]) == ["input", "penultimate", "logits"]
    assert outputs([maps(aliased=False)]) == NAMES


def test_that_holds_over_all_epochs_also_where_there_is_no_map_at_one():
    assert outputs([maps(), maps(1, dead=(1, 2))]) == ["input", "penultimate", "logits"]
    assert outputs([maps(), maps(1, aliased=False)]) == NAMES
    assert outputs([maps(dead=(1, 2)), maps(1, dead=(1, 2))]) == NAMES, "without a map nothing says that they are one"
    assert outputs([maps(dead=(0, 1))]) == NAMES


def test_a_figure_has_each_output_once_unless_it_is_asked_for():
    titles = [note.text for note in figure(maps(), View()).layout.annotations]
    assert [name for name in NAMES if any(name in title for title in titles)] == ["input", "penultimate", "logits"]
    assert "block1" in figure(maps(), View(layer="block1")).to_json()
