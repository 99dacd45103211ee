"""Figures are looked up, never imported by a name that came from outside."""

from importlib.metadata import EntryPoint

import pytest

from repviz.errors import UserError
from repviz.figures import landscape, projection, registry
from repviz.figures.view import View


def test_built_in_figures_are_found():
    assert registry.figure_of("projection") is projection.figure
    assert "projection" in registry.figure_kinds()


@pytest.mark.parametrize(
    "name",
    [
        *("os", "registry", "view", "metrics", "comparison", "surface_shades", "interpolation_pairs"),
        *("..", "projection.sub", "", "__init__"),
    ],
)
def test_names_that_are_no_kind_are_refused(name):
    with pytest.raises(UserError, match="projection"):
        registry.figure_of(name)


def test_an_installed_package_adds_a_figure_but_cannot_replace_one(monkeypatch):
    points = [
        EntryPoint("entropy", "math:sqrt", registry.ENTRY_POINTS),
        EntryPoint("projection", "math:cos", registry.ENTRY_POINTS),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else [])
    assert registry.figure_of("entropy")(9) == 3
    assert registry.figure_of("projection") is projection.figure
    assert "entropy" in registry.figure_kinds()


def test_a_picture_says_what_its_module_declares(monkeypatch):
    known = registry.picture_of("landscape")
    assert (known.kind, known.options) == ("landscape", landscape.OPTIONS)
    assert (known.over_epochs, known.history) == (landscape.over_epochs, ("cut_alpha",))
    points = [EntryPoint("entropy", "math:sqrt", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else [])
    bare = registry.picture_of("entropy")
    assert known.wanted_beside(View(), 2, [0, 2, 5]) == [0, 5]
    assert (bare.choices, bare.wanted_beside(View(), 2, [0, 2, 5])) == (None, [])
    assert (bare.kind, bare.over_epochs, bare.options, bare.one_layer) == ("entropy", None, {}, False)
