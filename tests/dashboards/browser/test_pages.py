"""Chromium draws a made-up run, and moves through it."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.dashboards.browser.watching import SLOW, colored, drawn, pixels, state, wait_for_maps

pytestmark = pytest.mark.browser

WATCH_PICTURES = """(layer) => {
    const canvas = [...document.querySelectorAll(`.map[data-layer="${layer}"]`)]
        .find((map) => map.offsetParent).querySelector('canvas.points');
    const copy = Object.assign(document.createElement('canvas'), { width: 80, height: 80 });
    const context = copy.getContext('2d', { willReadFrequently: true });
    window.pictures = new Set();
    const look = () => {
        context.clearRect(0, 0, 80, 80);
        context.drawImage(canvas, 0, 0, 80, 80);
        pictures.add(context.getImageData(0, 0, 80, 80).data.join());
        requestAnimationFrame(look);
    };
    look();
}"""
"""Keeps every different picture that a map shows from now on."""


@pytest.mark.parametrize("watched", ["light", "dark"], indirect=True)
def test_both_pages_draw_a_run(watched, trained, shots):
    page = watched.open(trained)
    wait_for_maps(page, 5, layers=1)
    expect(page.locator(".tile", has_text="Validation accuracy").locator("strong")).to_have_text("0.526", timeout=SLOW)
    page.wait_for_function("document.querySelectorAll('.epoch-line:not([hidden])').length === 5", timeout=SLOW)
    name = state(page, "theme")
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"overview_{name}.png")
    page.get_by_text("Representations").click()
    wait_for_maps(page, 5)
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"representations_{name}.png")
    for layer in ("input", "logits"):
        assert drawn(pixels(page, layer)) > 3000
    # Six of the twenty classes, as far apart as the palette has them.
    for color in ("#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#e76300", "#92dadd"):
        assert colored(pixels(page, "logits"), color) > 40
    expect(page.locator(".map[data-layer=logits] .map-trust:visible")).to_have_text("trust 0.91 · chance 0.51")
    expect(page.locator(".map[data-layer=logits] .map-epoch:visible")).to_have_text("UMAP · epoch 5")


def test_keys_slider_and_buttons_move_through_the_epochs(watched, trained):
    page = watched.open(trained, "page=representations")
    wait_for_maps(page, 5)
    pictures = {5: pixels(page, "logits")}
    for key, epoch in (("Home", 0), ("ArrowRight", 1), (".", 2), (",", 1), ("End", 5), ("ArrowLeft", 4)):
        page.keyboard.press(key)
        wait_for_maps(page, epoch)
        picture = pixels(page, "logits")
        if epoch in pictures:
            assert (picture == pictures[epoch]).all()
        else:
            assert all((picture != other).any(axis=2).sum() > 2000 for other in pictures.values())
            pictures[epoch] = picture
    page.locator(".track input").fill("3")
    wait_for_maps(page, 3)
    assert not state(page, "follow")
    page.get_by_label("Previous epoch (←)").click()
    wait_for_maps(page, 2)
    page.get_by_label("Latest epoch (End)").click()
    wait_for_maps(page, 5)
    assert state(page, "follow")


def test_the_line_in_the_curves_stands_at_the_epoch(watched, trained):
    page = watched.open(trained, "epoch=2")
    wait_for_maps(page, 2, layers=1)
    page.wait_for_function("document.querySelectorAll('.epoch-line:not([hidden])').length === 5", timeout=SLOW)
    stands_at = """(epoch) => {
        const graph = document.querySelector('#curve-loss .js-plotly-plot');
        const line = graph.querySelector('.epoch-line');
        const axis = graph._fullLayout.xaxis;
        const x = line.getBoundingClientRect().left - graph.getBoundingClientRect().left + 1;
        return Math.abs(axis.p2d(x - graph._fullLayout._size.l) - epoch) < 0.05;
    }"""
    page.wait_for_function(stands_at, arg=2, timeout=SLOW)
    page.keyboard.press("ArrowRight")
    wait_for_maps(page, 3, layers=1)
    page.wait_for_function(stands_at, arg=3, timeout=SLOW)
    page.set_viewport_size({"width": 1700, "height": 900})
    page.wait_for_timeout(1000)
    page.wait_for_function(stands_at, arg=3, timeout=SLOW)
    val_loss = page.locator(".readout[data-panel=loss] .readout-value").nth(1)
    expect(val_loss).to_have_text(f"{trained.rows[3]['val_loss']:.3f}")


def test_play_glides_to_the_end_and_stops(watched, trained):
    watched.page.emulate_media(reduced_motion="no-preference")
    page = watched.open(trained, "page=representations&epoch=2")
    wait_for_maps(page, 2)
    page.evaluate("window.seen = []; repviz.on('state', () => seen.push(repviz.currentEpoch()))")
    page.evaluate(WATCH_PICTURES, "logits")
    page.evaluate("repviz.set({ speed: 0.5 })")  # longer on the way, for slow machines to see it
    page.evaluate("seen.length = 0")
    page.keyboard.press(" ")
    expect(page.get_by_label("Pause (space)")).to_be_visible()
    wait_for_maps(page, 3)
    assert page.evaluate("pictures.size") >= 4  # epoch 2, epoch 3, and pictures on the way
    page.evaluate("repviz.set({ speed: 2 }); seen.pop()")
    wait_for_maps(page, 5)
    assert page.evaluate("seen") == [3, 4, 5]
    expect(page.get_by_label("Play (space)")).to_be_visible(timeout=SLOW)
    page.evaluate("repviz.set({ speed: 0.5 }); seen.length = 0")
    page.keyboard.press(" ")  # at the end: from the beginning
    page.wait_for_function("seen[0] === 0", timeout=SLOW)
    page.keyboard.press(" ")
    expect(page.get_by_label("Play (space)")).to_be_visible()
    at = state(page, "epoch")
    page.wait_for_timeout(1000)
    assert state(page, "epoch") == at


def test_classes_and_splits_are_filtered_and_stressed(watched, trained):
    page = watched.open(trained, "page=representations&epoch=3")
    wait_for_maps(page, 3)
    everything = pixels(page, "logits")
    page.locator(".legend-entry", has_text="database").hover()
    page.wait_for_timeout(300)
    stressed = pixels(page, "logits")
    assert colored(stressed, "#bd1f01") >= colored(everything, "#bd1f01") * 0.9
    assert colored(stressed, "#ffa90e") == 0
    page.locator(".legend-entry", has_text="database").click()
    page.mouse.move(5, 300)
    page.wait_for_timeout(400)
    assert 0 < drawn(pixels(page, "logits")) < drawn(everything) / 4
    assert "classes=2" in page.url
    page.keyboard.press("ArrowLeft")
    wait_for_maps(page, 2)
    assert drawn(pixels(page, "logits")) < drawn(everything) / 4
    page.keyboard.press("Escape")
    page.locator(".legend-entry", has_text="excluded").click()
    page.wait_for_timeout(400)
    assert 0 < drawn(pixels(page, "logits")) < drawn(everything) / 2


def test_hovering_shows_text_as_text(watched, trained, shots):
    page = watched.open(trained, "page=representations")
    wait_for_maps(page, 5)
    # Row 0, whose text is markup; where it lies on the screen is known to the map alone.
    page.evaluate(
        """() => {
            const stage = document.querySelector('.map-stage');
            repviz.showSample(0, { screen: () => [100, 100], place: { x: [0], y: [0] }, stage });
        }"""
    )
    card = page.locator(".sample-card")
    expect(card).to_contain_text("package-0000", timeout=SLOW)
    expect(card).to_contain_text("<img src=x onerror=")
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.locator(".sample-card img").count() == 0
    page.evaluate("repviz.hideSample()")
    box = page.locator(".map[data-layer=logits]:visible canvas.points").bounding_box()
    for step in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.3 + step * 0.007), box["y"] + box["height"] / 2)
        page.wait_for_timeout(60)
        if card.is_visible():
            break
    expect(card).to_be_visible()
    expect(card).to_contain_text("package-")
    page.screenshot(path=shots / "hover.png")


def test_one_output_of_two_names_has_one_map(watched, make_run, shots):
    run = make_run("20250117_010000", epochs=2, n=300, aliased=True)
    page = watched.open(run, "page=representations")
    wait_for_maps(page, 2, layers=5)
    titles = page.locator(".map:visible h3")
    expect(titles).to_have_text(["input", "block1", "block2", "block3", "logits"])
    notes = page.locator(".map:visible .map-trust")
    expect(notes).to_have_text(
        [
            *[f"trust {trust} · chance 0.51" for trust in ("0.93", "0.93", "0.92")],
            "= penultimate · trust 0.91 · chance 0.51",
            "trust 0.91 · chance 0.51",
        ]
    )
    page.screenshot(path=shots / "one_output.png")
    assert page.locator(".map:visible canvas.points").nth(3).get_attribute("aria-label").startswith("block3, umap")
    assert page.get_by_label("save block3, or fill the screen with it").is_visible()
    for name in ("block3", "penultimate"):
        page = watched.open(run, f"page=representations&layer={name}")
        wait_for_maps(page, 2, layers=1)
        expect(titles).to_have_text("block3")
        page.evaluate("document.querySelectorAll('.map').forEach((map) => (map.dataset.stays = 'yes'))")
        page.get_by_label("show block3 alone, or all layers again").click()
        wait_for_maps(page, 2, layers=5)
        assert page.locator(".map[data-stays=yes]:visible").count() == 5, "none is made anew"
        page.keyboard.press("ArrowLeft")
        wait_for_maps(page, 1, layers=5)
    page = watched.open(run)
    expect(titles).to_have_text("block3", timeout=SLOW)


def test_an_output_that_dies_keeps_its_one_map(watched, make_run):
    run = make_run("20250117_020000", epochs=2, n=60, aliased=True)
    dead = run.coordinates(1)
    dead[-3:-1] = np.nan
    run.coordinates = lambda epoch: dead
    run.write_projection(1)
    page = watched.open(run, "page=representations&epoch=1")
    expect(page.locator(".map[data-layer=penultimate]:visible .map-message")).to_contain_text(
        "block3 has no such map", timeout=SLOW
    )
    assert page.locator(".map:visible").count() == 5


def test_one_map_can_be_shown_alone(watched, trained):
    page = watched.open(trained, "page=representations")
    wait_for_maps(page, 5)
    page.get_by_label("show block2 alone, or all layers again").click()
    wait_for_maps(page, 5, layers=1)
    assert "layer=block2" in page.url
    assert page.locator(".map[data-layer=block2]:visible").bounding_box()["width"] > 900
    page.keyboard.press("Escape")
    wait_for_maps(page, 5)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080), (700, 1000)])
def test_nothing_is_cut_off(watched, trained, shots, width, height):
    watched.page.set_viewport_size({"width": width, "height": height})
    page = watched.open(trained)
    wait_for_maps(page, 5, layers=1)
    page.wait_for_function("document.querySelectorAll('.epoch-line').length === 5", timeout=SLOW)
    page.wait_for_timeout(500)
    page.screenshot(path=shots / f"overview_{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("repviz.set({ page: 'representations' })")
    wait_for_maps(page, 5)
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"representations_{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    bottom = page.locator(".legend").bounding_box()
    if width >= 1280:
        assert bottom["y"] + bottom["height"] <= height - 84


def test_help_and_theme(watched, trained, shots):
    page = watched.open(trained)
    wait_for_maps(page, 5, layers=1)
    page.keyboard.press("?")
    expect(page.get_by_text("play, pause")).to_be_visible(timeout=SLOW)
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "help.png")
    page.keyboard.press("Escape")
    color = "document.querySelector('#curve-loss .js-plotly-plot')?._fullLayout?.paper_bgcolor"
    page.wait_for_function(f"['#ffffff', 'rgb(255, 255, 255)'].includes({color})", timeout=SLOW)
    page.get_by_label("dark or light").click()
    page.wait_for_function(f"['#161a21', 'rgb(22, 26, 33)'].includes({color})", timeout=SLOW)
    assert state(page, "theme") == "dark"
    page.reload()
    page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    assert state(page, "theme") == "dark"
