"""The page as someone sees it: Chromium draws a made-up run, moves through it, and follows it as it grows."""

import base64
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from repviz.dashboards.serve import address_of, make_server

from repviz.store.artifacts import artifact_path, write_error
from tests.dashboards.synthetic_run import SyntheticRun

pytestmark = pytest.mark.browser

ARGUMENTS = [
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--ignore-gpu-blocklist", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-default-apps", "--disable-domain-reliability"),
]
SIZE = {"width": 1440, "height": 900}
SLOW = 20_000
"""Milliseconds: the machine may be busy; how fast things are is asked where it matters."""


class Watched:
    """A page, and everything that it must not do."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.allowed: tuple[str, ...] = ()
        page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)

    def _note(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, run: SyntheticRun | None = None, query: str = "") -> Page:
        wanted = [f"run={run.path.name}"] if run is not None else []
        self.page.goto(f"{self.address}/?{'&'.join([*wanted, *([query] if query else [])])}")
        self.page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
        return self.page

    def unexpected(self) -> list[str]:
        return [error for error in self.errors if not any(part in error for part in self.allowed)]


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    server = make_server(str(folder), "127.0.0.1", 0)
    threading.Thread(target=server.run, daemon=True).start()
    yield address_of(server, "127.0.0.1")
    server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """One folder and server for all tests here: a browser that knows its scripts opens a page much faster."""
    folder = tmp_path_factory.mktemp("runs")
    with serving(folder) as address:
        yield folder, address


@pytest.fixture(scope="module")
def contexts(browser):
    # Points that glide are many frames for a processor to draw; the test of playing has them.
    made = {
        scheme: browser.new_context(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
        for scheme in ("light", "dark")
    }
    yield made
    for context in made.values():
        context.close()


@pytest.fixture
def runs_dir(shared) -> Path:
    return shared[0]


@pytest.fixture(params=["light"])
def watched(request, contexts, shared) -> Iterator[Watched]:
    page = contexts[request.param].new_page()
    seen = Watched(page, shared[1])
    yield seen
    page.evaluate("localStorage.clear()")
    page.close()
    assert seen.unexpected() == []
    assert seen.outside == []


@pytest.fixture(scope="module")
def trained(shared) -> SyntheticRun:
    """A finished run that tests only look at."""
    run = SyntheticRun(shared[0] / "20250101_120000", n=1500, max_epochs=6)
    for epoch in range(6):
        run.write_epoch(epoch)
    run.say("finished")
    return run


def state(page: Page, key: str):
    return page.evaluate(f"repviz.state.{key}")


def wait_for_maps(page: Page, epoch: int, layers: int = 6) -> None:
    """Until every map on the page has drawn ``epoch``."""
    page.wait_for_function(
        """([epoch, layers]) => {
            const maps = [...document.querySelectorAll('.map')].filter((map) => map.offsetParent);
            return maps.length === layers && maps.every((map) => map.dataset.epoch === String(epoch));
        }""",
        arg=[epoch, layers],
        timeout=SLOW,
    )


def pixels(page: Page, layer: str) -> np.ndarray:
    """What the canvas of a layer shows, ``(height, width, 4)``."""
    found = page.evaluate(
        """(layer) => {
            const maps = [...document.querySelectorAll(`.map[data-layer="${layer}"]`)];
            const canvas = maps.find((map) => map.offsetParent).querySelector('canvas.points');
            const { width, height } = canvas;
            const copy = Object.assign(document.createElement('canvas'), { width, height });
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const bytes = context.getImageData(0, 0, width, height).data;
            let text = '';
            for (let at = 0; at < bytes.length; at += 8192) {
                text += String.fromCharCode(...bytes.subarray(at, at + 8192));
            }
            return { width, height, data: btoa(text) };
        }""",
        layer,
    )
    return np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["height"], found["width"], 4)


def colored(image: np.ndarray, color: str) -> int:
    """How many pixels have nearly this colour."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    opaque = image[..., 3] > 200
    return int((opaque & (np.abs(image[..., :3].astype(int) - rgb).max(axis=2) < 24)).sum())


def drawn(image: np.ndarray) -> int:
    return int((image[..., 3] > 0).sum())


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
    where = """() => {
        const graph = document.querySelector('#curve-loss .js-plotly-plot');
        const line = graph.querySelector('.epoch-line');
        const axis = graph._fullLayout.xaxis;
        const x = line.getBoundingClientRect().left - graph.getBoundingClientRect().left + 1;
        return axis.p2d(x - graph._fullLayout._size.l);
    }"""
    assert page.evaluate(where) == pytest.approx(2, abs=0.05)
    page.keyboard.press("ArrowRight")
    wait_for_maps(page, 3, layers=1)
    assert page.evaluate(where) == pytest.approx(3, abs=0.05)
    val_loss = page.locator(".readout[data-panel=loss] .readout-value").nth(1)
    expect(val_loss).to_have_text(f"{trained.rows[3]['val_loss']:.3f}")


def test_play_glides_to_the_end_and_stops(watched, trained):
    watched.page.emulate_media(reduced_motion="no-preference")
    page = watched.open(trained, "page=representations&epoch=2")
    wait_for_maps(page, 2)
    page.evaluate("window.seen = []; repviz.on('state', () => seen.push(repviz.currentEpoch()))")
    page.keyboard.press(" ")
    expect(page.get_by_label("Pause (space)")).to_be_visible()
    start, gliding = pixels(page, "logits"), set()
    while page.locator(".map[data-layer=logits]:visible").get_attribute("data-epoch") == "2":
        gliding.add(pixels(page, "logits").tobytes())
    assert len(gliding - {start.tobytes()}) >= 2  # pictures on the way from epoch 2 to 3
    wait_for_maps(page, 5)
    assert page.evaluate("seen") == [3, 4, 5]
    expect(page.get_by_label("Play (space)")).to_be_visible(timeout=SLOW)
    page.keyboard.press(" ")  # at the end: from the beginning
    wait_for_maps(page, 0)
    page.keyboard.press(" ")
    expect(page.get_by_label("Play (space)")).to_be_visible()
    at = state(page, "epoch")
    page.wait_for_timeout(1000)
    assert state(page, "epoch") == at


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
    page = watched.open(run, "page=representations&epoch=1&method=pca&axes=free&classes=2,5")
    wait_for_maps(page, 1)
    box = page.locator(".map[data-layer=logits]:visible canvas.points").bounding_box()
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


def test_a_strange_url_still_shows_the_run(watched, trained):
    page = watched.open(trained, "epoch=99&page=representations&layer=nope&classes=a,b&splits=;")
    wait_for_maps(page, 5)
    page = watched.open(trained, "page=../etc&method=x&axes=y&epoch=-3")
    wait_for_maps(page, 5, layers=1)
    page = watched.open(None, "run=../../etc")
    expect(page.locator("#notice")).to_contain_text("There is no run ../../etc", timeout=SLOW)
    watched.allowed = ("404",)


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


def test_one_map_can_be_shown_alone(watched, trained):
    page = watched.open(trained, "page=representations")
    wait_for_maps(page, 5)
    page.get_by_label("show block2 alone, or all layers again").click()
    wait_for_maps(page, 5, layers=1)
    assert "layer=block2" in page.url
    assert page.locator(".map[data-layer=block2]:visible").bounding_box()["width"] > 900
    page.keyboard.press("Escape")
    wait_for_maps(page, 5)


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


def test_a_run_without_projection_says_what_switches_it_on(watched, make_run, shots):
    run = make_run("20250106_000000", epochs=0, n=60)
    artifact_path(run.path, "projection", 0).unlink()
    run.say("finished", kinds=[])
    page = watched.open(run, "page=representations")
    expect(page.locator("#maps-empty")).to_contain_text("--projection.enabled=true", timeout=SLOW)
    page.screenshot(path=shots / "no_projection.png")
    expect(page.locator(".toolbar")).to_be_hidden()


def test_failures_are_shown_with_their_reason(watched, make_run, shots):
    run = make_run("20250107_000000", epochs=1, n=60)
    run.say("failed", error="RuntimeError: loss is NaN")
    write_error(run.path, "landscape", 1, ValueError("radius <script>1</script> is 0"), "Traceback: line 3")
    page = watched.open(run)
    page.get_by_text("2 problems").click(timeout=SLOW)
    expect(page.locator(".problem", has_text="landscape failed at epoch 1")).to_contain_text("<script>1</script> is 0")
    expect(page.locator(".problem").first).to_contain_text("loss is NaN")
    page.wait_for_timeout(400)
    page.screenshot(path=shots / "problems.png")


def test_a_damaged_epoch_is_named_and_the_others_still_draw(watched, make_run):
    watched.allowed = ("422",)
    run = make_run("20250108_000000", epochs=2, n=300)
    path = artifact_path(run.path, "projection", 1)
    path.write_bytes(path.read_bytes()[:5000])
    page = watched.open(run, "page=representations&epoch=1")
    expect(page.locator(".maps-notice:visible")).to_contain_text("epoch_000001.h5 cannot be read", timeout=SLOW)
    page.keyboard.press("ArrowRight")
    wait_for_maps(page, 2)
    page.keyboard.press("ArrowLeft")
    message = page.locator(".map[data-layer=logits] .map-message")
    expect(message).to_contain_text("epoch_000001.h5 cannot be read", timeout=SLOW)
    page.keyboard.press("ArrowLeft")
    wait_for_maps(page, 0)
    expect(message).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("one_class_one_layer", {"classes": ("all",), "layers": ("logits",), "n": 60}),
        ("200_classes", {"classes": tuple(f"class number {k}" for k in range(200)), "n": 2000}),
        ("18_layers_only_pca", {"layers": tuple(f"block{k}" for k in range(1, 19)), "methods": ("pca",), "n": 300}),
    ],
)
def test_unusual_runs_are_drawn(watched, make_run, name, settings, shots):
    run = make_run(f"20250109_{name}", epochs=1, **settings)
    page = watched.open(run, "page=representations")
    layers = settings.get("layers", range(6))
    wait_for_maps(page, 1, layers=len(layers))
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"{name}.png")
    last = settings.get("layers", ("logits",))[-1]
    page.locator(f".map[data-layer={last}]:visible").scroll_into_view_if_needed()
    assert drawn(pixels(page, last)) > 50


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
