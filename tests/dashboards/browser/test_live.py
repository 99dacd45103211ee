"""The page and time: runs that grow, that begin, that are chosen; reloading."""

import time

import pytest
from playwright.sync_api import expect

from tests.dashboards.browser.watching import SIZE, SLOW, pixels, state, wait_for_maps
from tests.dashboards.serving import serving
from tests.dashboards.synthetic_run import SyntheticRun

pytestmark = pytest.mark.browser


def test_a_growing_run_is_followed_within_seconds(watched, make_run):
    run = make_run("20250102_000000", epochs=1, n=1500, state="running")
    page = watched.open(run)
    wait_for_maps(page, 1, layers=1)
    curve = "document.querySelector('#curve-loss .js-plotly-plot')?._fullData?.[1]?.x?.length"
    page.wait_for_function(f"{curve} === 2", timeout=SLOW)
    started = time.monotonic()
    run.write_epoch(2)
    wait_for_maps(page, 2, layers=1)
    page.wait_for_function(f"{curve} === 3", timeout=SLOW)
    assert time.monotonic() - started < 4
    page.get_by_text("Representations").click()
    wait_for_maps(page, 2)
    expect(page.locator("#run-state")).to_have_text("running")
    started = time.monotonic()
    run.write_epoch(3)
    wait_for_maps(page, 3)
    assert time.monotonic() - started < 4
    expect(page.locator("#run-progress")).to_contain_text("epoch 3 of 12")
    run.say("finished")
    expect(page.locator("#run-state")).to_have_text("finished", timeout=SLOW)


def test_without_following_epoch_zoom_and_choices_stay_while_the_run_grows(watched, make_run):
    run = make_run("20250103_000000", epochs=2, n=1500, state="running")
    page = watched.open(run, "page=representations&epoch=1&method=pca&axes=free&classes=2,5&selection=r0-1j")
    wait_for_maps(page, 1)
    box = page.locator(".map[data-layer=logits]:visible canvas.points").bounding_box()
    page.wait_for_timeout(300)  # what is selected is stressed one picture later
    unzoomed = pixels(page, "logits")
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(600)
    page.mouse.move(5, 300)
    page.wait_for_timeout(200)
    before, url = pixels(page, "logits"), page.url
    assert (before != unzoomed).any()
    run.write_epoch(3)
    page.wait_for_function("repviz.timeline().at(-1) === 3", timeout=SLOW)
    page.wait_for_timeout(600)
    assert page.url == url
    wait_for_maps(page, 1)
    assert (pixels(page, "logits") == before).all()
    expect(page.locator(".epoch-readout strong")).to_have_text("1")
    page.get_by_label("whole map of logits").last.click()
    page.wait_for_timeout(300)
    assert (pixels(page, "logits") == unzoomed).all()


def test_reload_restores_what_the_url_says(watched, trained, make_run):
    make_run("20250104_000000", epochs=0, n=60)
    page = watched.open(trained, "page=representations&epoch=2&method=pca&classes=1,3&axes=free&labels=0")
    wait_for_maps(page, 2)
    first = pixels(page, "logits")
    page.reload()
    wait_for_maps(page, 2)
    assert (pixels(page, "logits") == first).all()
    assert state(page, "run") == trained.path.name
    assert state(page, "classes") == [1, 3]
    expect(page.locator("#method input:checked")).to_have_value("pca")
    expect(page.locator("#run-select")).to_have_value(trained.path.name)
    page.get_by_text("Overview").click()
    wait_for_maps(page, 2, layers=1)
    page.go_back()
    wait_for_maps(page, 2)


EVERYTHING = {
    "page": "samples", "epoch": 2, "follow": False, "method": "pca", "layer": "logits", "classes": [1, 3],
    "splits": [0, 1], "selection": [2, 5, 9, 140], "point": 5, "color": "prediction.confidence", "ghost": 1,
    "trails": True, "shown": "selected", "verdict": "wrong", "find": "a b&c~d#é", "sort": "loss.down", "axes": "free",
    "labels": False, "log": True, "options": {"probe.score": "macro F1", "response.sort": "variance"},
    "film": "probe", "frames": 8,
}  # fmt: skip


def test_a_link_holds_every_choice(watched, complete):
    """Not in it: speed, theme and what the mouse does, which are the reader's own."""
    page = watched.open(complete)
    defaults = page.evaluate("({ ...repviz.state })")
    assert set(defaults) - set(EVERYTHING) == {"run", "pinned", "tool", "speed", "theme"}
    options = page.evaluate("repviz.data.config.pictures")
    for name, value in EVERYTHING["options"].items():
        picture, option = name.split(".")
        assert value in options[picture]["options"][option][1:], (name, options[picture]["options"])
    page.evaluate("(choices) => repviz.set(choices)", EVERYTHING)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    restored = page.evaluate("({ ...repviz.state })")
    assert {key: restored[key] for key in EVERYTHING} == EVERYTHING
    assert all(defaults[key] != value for key, value in EVERYTHING.items())


def test_another_run_is_picked_from_the_list(watched, trained, make_run):
    make_run("20250105_000000", epochs=2, n=300, state="stopped", layers=("input", "logits"))
    page = watched.open(trained, "page=representations&epoch=3")
    wait_for_maps(page, 3)
    page.locator("#run-select").click()
    option = page.locator(".run-option", has_text="20250105_000000")
    expect(option).to_contain_text("stopped")
    expect(option).to_contain_text("0.313")
    option.click()
    wait_for_maps(page, 2, layers=2)
    assert "run=20250105_000000" in page.url


def test_no_runs_says_what_starts_one_and_a_lost_server_is_noticed(browser, tmp_path, shots):
    with serving(tmp_path / "runs") as address:
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        notice = page.locator("#notice")
        expect(notice).to_contain_text("repviz fit --config", timeout=SLOW)
        page.screenshot(path=shots / "no_runs.png")
        SyntheticRun(tmp_path / "runs" / "20250101_000000", n=60).write_epoch(0)
        wait_for_maps(page, 0, layers=1)
        expect(notice).to_be_hidden()
        page.route("**/data/**", lambda route: route.abort())
        expect(notice).to_contain_text("does not answer", timeout=SLOW)
        page.unroute("**/data/**")
        expect(notice).to_be_hidden(timeout=SLOW)
        page.close()
