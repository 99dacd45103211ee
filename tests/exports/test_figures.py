"""Figures as files: one of each kind, that open without the network."""

import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from repviz.cli import main
from repviz.errors import UserError
from repviz.exports.figures import write_figures
from repviz.exports.pictures import nearest, pictures, wanted_epoch
from tests.exports.conftest import OTHERS


def test_every_kind_is_drawn_at_the_epoch_that_is_asked_for(run):
    found = list(pictures(run, which=1))
    single = {picture.kind: picture.epoch for picture in found if picture.epoch is not None}
    assert single == dict.fromkeys(OTHERS, 0) | {"projection": 1}
    assert {p.kind for p in found if p.epoch is None} == {"metrics", *OTHERS}
    probe = next(p for p in found if p.name == "probe_over_epochs")
    assert list(probe.figure.data[1].x) == [0, 3]


def test_best_is_of_the_monitored_score_and_last_the_newest(run):
    table = run.metrics()
    assert wanted_epoch(run, "best") == int(table.loc[table["val_accuracy"].idxmax(), "epoch"]) == 3
    assert wanted_epoch(run, "last") == 3
    assert wanted_epoch(run, "2") == 2
    assert nearest([0, 3, 6], 4) == 3
    with pytest.raises(UserError, match="give best, last or a number"):
        wanted_epoch(run, "first")


def test_html_needs_nothing_else(run, tmp_path, capsys):
    main(
        [
            "export",
            "figures",
            "--run-dir",
            str(run.path),
            "--kind",
            "probe,metrics",
            "--html-only",
            "--out",
            str(tmp_path),
        ]
    )
    assert "written: 3 files" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics_over_epochs.html",
        "probe_epoch_000003.html",
        "probe_over_epochs.html",
    ]
    text = (tmp_path / "probe_epoch_000003.html").read_text("utf-8")
    assert "Plotly.newPlot" in text
    assert not re.search(r"<(script|link)[^>]*(src|href)=", text)


def test_images_have_twice_the_figures_pixels_and_show_something(run, tmp_path, chromium, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", chromium)
    written = write_figures(run.path, tmp_path, kinds=["metrics"])
    assert [path.name for path in written] == [f"metrics_over_epochs.{ending}" for ending in ("html", "png", "svg")]
    picture = np.asarray(Image.open(written[1]).convert("RGB"))
    assert picture.shape == (1280, 2000, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    assert "Learning curves" in "".join(ElementTree.parse(written[2]).getroot().itertext())


def test_without_kaleido_the_html_is_there_and_the_package_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(UserError, match=r"pip install 'kaleido>="):
        write_figures(run.path, tmp_path, kinds=["probe"])
    assert (tmp_path / "probe_epoch_000003.html").exists()


def test_without_a_browser_that_is_said(run, tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="Chrome or Chromium"):
        write_figures(run.path, tmp_path, kinds=["probe"])


def test_a_kind_that_is_not_there_is_said(run, tmp_path):
    with pytest.raises(UserError, match="no figure is known for the kind 'probes'"):
        write_figures(run.path, tmp_path, kinds=["probes"])
