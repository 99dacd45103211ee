"""The report, opened in a browser without a network: it draws, plays, says what a point is, and runs no text."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from repviz.cli import main
from repviz.errors import UserError
from repviz.exports.report import write_report
from repviz.exports.report_maps import map_data, quantised, usual
from repviz.run import open_run
from repviz.store.artifacts import write_error
from tests.dashboards.browser.watching import SLOW
from tests.exports.conftest import OTHERS
from tests.exports.readers import offline


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    return write_report(run.path, tmp_path_factory.mktemp("report") / "new" / "report.html")


@pytest.fixture(scope="module")
def page(report, chromium):
    with offline(report, chromium) as page:
        yield page


def test_every_section_is_there_and_its_figures_are_drawn(page):
    assert page.locator("section").evaluate_all("all => all.map((s) => s.id)") == [
        *("summary", "curves", "maps", *OTHERS, "config")
    ]
    for kind in ("curves", "probe", "surface"):
        card = page.locator(f"#{kind} .figure").first
        card.scroll_into_view_if_needed()
        page.wait_for_function("(card) => card.dataset.drawn", arg=card.element_handle(), timeout=SLOW)
        assert card.locator(".main-svg").count() >= 1
        shown, meant = card.evaluate("c => [c.querySelector('.main-svg').clientHeight, c.clientHeight]")
        assert shown <= meant  # not cut off
    assert page.locator("#summary table").inner_text().split()[-8:] == [
        *("logistic_regression", "0.6100", "0.6000", "0.7000", "model_best", "0.6600", "0.6000", "0.7000")
    ]


def pixels(page, number=1):
    return page.locator("#grid canvas").nth(number).evaluate("c => c.toDataURL()")


def test_the_maps_play_from_the_first_epoch_to_the_last(page):
    page.locator("#maps").scroll_into_view_if_needed()
    assert page.locator("#epoch").inner_text() == "epoch 3"
    end = pixels(page)
    page.locator("#at").fill("0")
    start = pixels(page)
    assert start != end
    page.locator("#play").click()
    page.wait_for_function("Number(document.getElementById('player').dataset.at) % 1 > 0", timeout=SLOW)
    page.wait_for_function("document.getElementById('player').dataset.at === '3'", timeout=SLOW)
    assert pixels(page) == end


def test_hover_says_what_a_point_is_and_runs_nothing(page, run):
    sample = run.sample()
    where = run.read("projection", 3)["coordinates"].sel({"layer": "penultimate", "method": "umap"}).values
    canvas = page.locator("#grid canvas").nth(1)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    epochs = [run.read("projection", epoch)["coordinates"] for epoch in range(4)]
    everywhere = np.concatenate([p.sel({"layer": "penultimate", "method": "umap"}).values for p in epochs])
    low, high = everywhere.min(0), everywhere.max(0)
    scale = 0.94 * min(np.array([box["width"], box["height"]]) / (high - low))
    middle = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    places = middle + (where - (low + high) / 2) * scale * [1, -1]
    for row in (0, 17, 250):  # the text of row 0 is a script that must not run
        page.mouse.move(*map(float, places[row]))
        shown = page.locator("#hint").inner_text()
        assert shown.splitlines()[0] == str(sample["id"].values[row])
        assert " ".join(str(sample["text"].values[row]).split()) in " ".join(shown.split())
    assert page.evaluate("document.body.dataset.hacked") is None


def test_a_class_can_be_hidden(page):
    page.mouse.move(2, 2)  # no point is under the mouse, none has a ring
    before = pixels(page)
    button = page.locator("#legend button").first
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert pixels(page) != before
    button.click()
    assert pixels(page) == before


class _Tags(HTMLParser):
    """Scripts and addresses in a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href") and not value.startswith("#")]


def test_the_file_asks_for_nothing_and_texts_are_no_markup(report):
    text = report.read_text("utf-8")
    tags = _Tags()
    tags.feed(text)
    assert tags.addresses == []
    assert "<script>alert(1)</script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<img src=x" not in text
    assert not re.search(r"url\((?![\"']?data:)", text.split("</style>")[0])


def test_fifty_epochs_of_five_thousand_points_stay_under_15_mb(grow):
    path = grow(list(range(0, 51)), n=5000, layers=("input", "block1", "penultimate", "logits"), methods=("umap",))
    written = write_report(path)
    assert written == path / "exports" / "report.html"
    assert written.stat().st_size < 15e6
    data = map_data(open_run(path), None, None, "light")
    assert (len(data["epochs"]), len(data["layers"]), data["n"]) == (51, 4, 5000)


def test_places_come_back_within_a_step():
    rng = np.random.default_rng(0)
    places = rng.normal(size=(3, 20, 2))
    flat = places.reshape(-1, 2)
    box = (flat[:, 0].min(), flat[:, 0].max(), flat[:, 1].min(), flat[:, 1].max())
    half = max(box[1] - box[0], box[3] - box[2]) / 2
    back = quantised(places, box).transpose(0, 2, 1) / 32767 * half + [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2]
    np.testing.assert_allclose(back, places, atol=half / 32767)


def test_of_many_layers_four_are_taken():
    assert usual(["input", "b1", "b2", "b3", "b4", "penultimate", "logits"]) == ["input", "b2", "penultimate", "logits"]
    assert usual(["input", "logits"]) == ["input", "logits"]


def test_one_output_of_two_names_plays_once(grow):
    run = open_run(grow([0, 1], n=40, layers=("input", "block1", "penultimate", "logits"), aliased=True))
    data = map_data(run, None, None, "light")
    assert (data["layers"], data["allLayers"]) == (["input", "penultimate", "logits"], 3)
    assert map_data(run, ["block1", "penultimate"], None, "light")["layers"] == ["block1", "penultimate"]


def test_without_maps_and_results_there_is_still_a_report(grow, tmp_path, capsys):
    path = grow([], n=40)
    write_error(path, "projection", 0, ValueError("no <b>room</b>"), "")
    main(["export", "report", "--run-dir", str(path), "--out", str(tmp_path / "r.html")])
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "It failed at epoch 0: ValueError: no &lt;b&gt;room&lt;/b&gt;" in text
    assert 'id="maps"' not in text


def test_a_layer_that_is_not_there_is_said(run):
    with pytest.raises(UserError, match="no map of block9; there is input, penultimate, logits"):
        write_report(run.path, layers=["block9"])
