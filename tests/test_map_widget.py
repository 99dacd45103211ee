"""The map in a notebook: its points are the projection's, at the slider's epoch, in the palette's colours."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from repviz.errors import UserError
from repviz.run import open_run
from repviz.store.sample_file import read_sample, write_sample
from repviz.theme import LIGHT, class_colors
from tests.dashboards.synthetic_run import SyntheticRun
from tests.reliability.hostile_texts import TEXTS

EPOCHS = (0, 2, 3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = SyntheticRun(
        tmp_path_factory.mktemp("runs") / "20260101_120000",
        n=60,
        classes=("a", "b", "a"),
        layers=("input", "penultimate", "logits"),
        max_epochs=3,
    )
    for epoch in EPOCHS:
        made.write_epoch(epoch)
    made.say("finished")
    return open_run(made.path)


@pytest.fixture(scope="module")
def widget(run):
    pytest.importorskip("jscatter")
    return run.map()


def places(widget) -> np.ndarray:
    """Where the points are, in the coordinates of the projection."""
    shown = widget.scatter.widget.points[:, :2].astype(float)
    low = np.array([widget._ranges["x_scale"][0], widget._ranges["y_scale"][0]])
    high = np.array([widget._ranges["x_scale"][1], widget._ranges["y_scale"][1]])
    return low + (shown + 1) / 2 * (high - low)


def test_the_points_follow_the_slider_on_one_scale(run, widget):
    assert widget.slider.options == EPOCHS
    assert widget.epoch == 3
    for epoch in (0, 3, 2):
        widget.slider.value = epoch
        meant = run.read("projection", epoch)["coordinates"].sel({"layer": "penultimate", "method": "umap"}).values
        np.testing.assert_allclose(places(widget), meant, atol=1e-4)
        assert abs(widget.scatter.widget.points[:, :2]).max() <= 1
        assert f"penultimate · UMAP · epoch {epoch}" in widget._title.value
    widths = [np.diff(widget._ranges[name]) for name in ("x_scale", "y_scale")]
    np.testing.assert_allclose(*widths)


def test_colours_are_the_palettes_and_the_legend_and_tooltip_say_what_they_are(run, widget):
    drawn = widget.scatter.widget
    labels = run.sample()["label"].values
    numbers = np.where(labels < 0, 3, labels)
    np.testing.assert_array_equal(drawn.points[:, 2], numbers)
    assert [to_hex(color[:3]) for color in drawn.color] == [*class_colors(3), LIGHT.no_class]
    names = [name for name, *_ in drawn.legend_encoding["color"]["values"]]
    assert names == [name for k, name in enumerate(["a (0)", "b", "a (2)", "no class"]) if k in numbers]
    assert drawn.legend is True
    assert drawn.tooltip_enable is True
    assert {"id", "class", "split"} <= set(drawn.tooltip_properties)
    assert drawn.tooltip_preview == "text"
    assert drawn.opacity == 0.85


def test_selected_points_are_rows_of_the_sample(run, widget):
    widget.scatter.widget.selection = np.array([7, 3], dtype=np.uint32)  # as the lasso does
    assert list(widget.selected) == [3, 7]
    assert list(widget.selected_points()["id"]) == list(run.sample()["id"].values[[3, 7]])
    widget.select([5])
    assert list(widget.scatter.widget.selection) == [5]
    widget.select([])
    assert list(widget.selected) == []


def test_what_is_not_there_is_said(run, widget):
    with pytest.raises(UserError, match="no map at epoch 1; there is 0, 2, 3"):
        run.map(epoch=1)
    with pytest.raises(UserError, match="no map of the layer 'block9'; there is input"):
        run.map(layer="block9")
    with pytest.raises(UserError, match="no maps by 'tsne'"):
        run.map(method="tsne")
    with pytest.raises(UserError, match="theme='blue'"):
        run.map(theme="blue")


def test_without_the_extra_it_is_named_and_all_else_works(run):
    code = f"""
import sys
sys.modules["jscatter"] = None
import repviz
run = repviz.open_run({str(run.path)!r})
run.figure("projection"), run.points(), run._repr_html_()
print({{"torch", "lightning", "ipywidgets", "IPython"}} & set(sys.modules))
try:
    run.map()
except repviz.errors.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, message = done.stdout.splitlines()
    assert modules == "set()"
    packages = "'ipywidgets>=8.1' 'jupyter-scatter<2,>=1.0.1'"
    assert message == f"a map in a notebook needs the package jupyter-scatter: pip install {packages}"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A map of points whose classes, ids and texts would do harm where somebody takes them for markup."""
    jscatter = pytest.importorskip("jscatter")
    n = 3 * len(TEXTS)
    made = SyntheticRun(tmp_path_factory.mktemp("runs") / "20260101_120000", n=n, classes=TEXTS, max_epochs=1)
    every = np.array([TEXTS[i % len(TEXTS)] for i in range(n)])
    write_sample(made.path, read_sample(made.path).assign(id=("sample", every), text=("sample", every[::-1])))
    made.write_epoch(0)
    made.say("finished")
    return jscatter, open_run(made.path).map(), every


def test_texts_are_handed_over_as_texts(hostile):
    import ipywidgets

    _, widget, every = hostile
    drawn = widget.scatter.widget
    assert list(widget.points["id"]) == list(every)
    assert list(widget.points["text"]) == list(every[::-1])
    assert drawn.tooltip_preview == "text"
    assert drawn.tooltip_preview_type == "text", "an image's address would be fetched"
    assert set(TEXTS) <= set(widget.points["class"].cat.categories)
    parts = [widget]
    while parts:
        part = parts.pop()
        parts += getattr(part, "children", ())
        assert not isinstance(part, (ipywidgets.HTML, ipywidgets.HTMLMath)), "it would take texts for markup"
        assert not getattr(part, "description_allow_html", False)


def test_what_draws_them_makes_text_nodes_of_them(hostile):
    """Of the script that the widget brings along, the part that is jupyter-scatter's own."""
    jscatter, *_ = hostile
    script = (Path(jscatter.__file__).parent / "bundle.js").read_text("utf-8")
    own = script[script.rindex("// node_modules/") :]
    assert len(own) > 50_000
    assert own.count(".textContent = ") > 10
    for taken_for_markup in ("innerHTML", "outerHTML", "insertAdjacentHTML", ".html(", "document.write", "srcdoc"):
        assert taken_for_markup not in own
