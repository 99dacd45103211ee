"""Points selected on one map are selected everywhere, and a link brings them back."""

import math

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from repviz.dashboards.asked_rows import rows_of
from tests.conftest import soaking
from tests.dashboards.browser.watching import SLOW, drag, drawn, pixels, state, wait_for_maps

pytestmark = pytest.mark.browser

ON_SCREEN = """(layer) => {
    const map = repviz.grids[0].maps.find((map) => map.layer === layer);
    return [...map.place.x].map((x, row) => map.screen(x, map.place.y[row]));
}"""
"""Where every point of a layer lies on its map, in pixels."""


def inside(page: Page, layer: str, x: tuple[float, float], y: tuple[float, float]) -> list[int]:
    """Rows in a box of a map, given as shares."""
    box = page.locator(f".map[data-layer={layer}]:visible canvas.points").bounding_box()
    places = np.array(page.evaluate(ON_SCREEN, layer)) / [box["width"], box["height"]]
    within = (places > [x[0], y[0]]) & (places < [x[1], y[1]])
    return np.flatnonzero(within.all(axis=1)).tolist()


def test_a_box_on_one_map_selects_on_all_maps_in_the_url_and_stays(watched, trained, shots):
    page = watched.open(trained, "page=representations")
    wait_for_maps(page, 5)
    before = {layer: pixels(page, layer) for layer in ("input", "logits")}
    page.locator("label", has_text="box").click()
    wanted = inside(page, "logits", (0.4, 0.62), (0.3, 0.66))
    drag(page, "logits", [(0.4, 0.3), (0.5, 0.4), (0.62, 0.66)])
    bar = page.locator("#selection")
    expect(bar).to_contain_text("selected", timeout=SLOW)
    chosen = state(page, "selection")
    assert len(wanted) > 20
    assert len(set(chosen) ^ set(wanted)) < 10  # those at the rim: the mouse knows whole pixels only
    assert chosen == sorted(set(chosen))
    expect(bar).to_contain_text(f"{len(chosen)} selected")
    correct = trained.logits(5).argmax(axis=1) == trained.labels
    known = [row for row in chosen if trained.labels[row] >= 0]
    expect(bar).to_contain_text(f"accuracy {correct[known].mean():.3f} at epoch 5")
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "selected.png")
    for layer, picture in before.items():
        opaque = (pixels(page, layer)[..., 3] > 200).sum()
        assert 0 < opaque < 0.7 * (picture[..., 3] > 200).sum()
    page.keyboard.press("ArrowLeft")
    wait_for_maps(page, 4)
    assert state(page, "selection") == chosen
    page.reload()
    wait_for_maps(page, 4)
    assert state(page, "selection") == chosen
    assert (
        page.evaluate("repviz.grids[0].maps.map((map) => map.plot.get('selectedPoints').length)") == [len(chosen)] * 6
    )
    page.locator("#selection").get_by_text("clear").click()
    expect(page.locator("#selection")).to_be_hidden()
    assert "selection" not in page.url


def test_a_lasso_adds_and_takes_out_and_a_click_is_no_selection(watched, trained):
    page = watched.open(trained, "page=representations&epoch=5")
    wait_for_maps(page, 5)
    circle = [(0.5 + 0.2 * math.cos(a), 0.5 + 0.2 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 16)]
    drag(page, "block2", circle, "Shift")
    page.wait_for_function("repviz.state.selection !== null", timeout=SLOW)
    first = state(page, "selection")
    assert state(page, "point") is None
    page.wait_for_timeout(300)
    drag(page, "block2", [(0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95), (0.05, 0.06)], "Shift", "Control")
    page.wait_for_function(f"repviz.state.selection.length > {len(first)}", timeout=SLOW)
    more = state(page, "selection")
    assert set(first) < set(more)
    drag(page, "block2", circle, "Shift", "Alt")
    page.wait_for_function(f"repviz.state.selection.length < {len(more)}", timeout=SLOW)
    left = state(page, "selection")
    assert set(left) < set(more)
    assert len(set(left) & set(first)) < 0.1 * len(first)
    page.keyboard.press("Escape")
    assert state(page, "selection") is None


def test_a_chosen_point_has_rings_neighbours_and_a_list(watched, trained, shots):
    page = watched.open(trained, "page=representations&epoch=5&point=3&layer=block2")
    wait_for_maps(page, 5, layers=1)
    panel = page.locator("#point-panel")
    expect(panel.locator(".near-entry")).to_have_count(5, timeout=SLOW)
    rows = trained.neighbors()[2, 3]
    assert panel.locator(".near-entry .legend-name").all_inner_texts() == [f"package-{k:04d}" for k in (3, *rows)]
    assert page.evaluate("repviz.grids[0].maps.map((map) => map.overlay.near)")[2] == rows.tolist()
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "neighbors.png")
    panel.locator(".near-entry").nth(1).click()
    page.wait_for_function(f"repviz.state.point === {rows[0]}")
    assert f"point={rows[0]}" in page.url


@pytest.mark.parametrize("watched", ["light", pytest.param("dark", marks=soaking)], indirect=True)
def test_colours_say_what_the_prediction_of_the_epoch_says(watched, trained, shots):
    page = watched.open(trained, "page=representations&epoch=5&color=prediction.correct")
    wait_for_maps(page, 5)
    right = int((trained.logits(5).argmax(axis=1) == trained.labels).sum())
    entry = page.locator(".legend-entry.plain", has_text="correct")
    expect(entry.locator(".legend-count")).to_have_text(f"{right:,}", timeout=SLOW)
    page.keyboard.press("Home")
    wait_for_maps(page, 0)
    right = int((trained.logits(0).argmax(axis=1) == trained.labels).sum())
    expect(entry.locator(".legend-count")).to_have_text(f"{right:,}")
    picture = pixels(page, "logits")
    page.evaluate("repviz.set({ color: 'prediction.confidence' })")
    expect(page.locator(".scale-ticks span")).to_have_text(["0", "0.5", "1"])
    wait_for_maps(page, 0)
    page.wait_for_timeout(400)
    assert (pixels(page, "logits") != picture).any(axis=2).sum() > 1000
    page.screenshot(path=shots / f"confidence_{state(page, 'theme')}.png")
    page.evaluate("repviz.set({ color: 'dynamics.forgetting' })")
    expect(page.locator("#legend .legend-note")).to_contain_text("this run has no dynamics")


def test_trails_and_ghosts_are_drawn_under_the_points(watched, trained):
    page = watched.open(trained, "page=representations&epoch=5&method=pca")
    wait_for_maps(page, 5)
    under = """() => {
        const { under } = repviz.grids[0].maps[5];
        const copy = Object.assign(document.createElement('canvas'), { width: under.width, height: under.height });
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(under, 0, 0);
        const { data } = context.getImageData(0, 0, under.width, under.height);
        return data.filter((value, at) => at % 4 === 3 && value > 0).length;
    }"""
    assert page.evaluate(under) == 0
    page.evaluate("repviz.set({ ghost: 1 })")
    page.wait_for_function(f"({under})() > 2000", timeout=SLOW)
    page.evaluate("repviz.set({ ghost: null, trails: true, selection: [1, 2, 3, 4, 5] })")
    page.wait_for_function("repviz.grids[0].maps[5].overlay.trails?.length === 5", timeout=SLOW)
    trail = page.evaluate("repviz.grids[0].maps[5].overlay.trails.map(({ x, y }) => [...x].map((v, i) => [v, y[i]]))")
    box = page.evaluate("repviz.grids[0].maps[5].box")
    half = max(box[1] - box[0], box[3] - box[2]) / 2
    for epoch in range(6):
        expected = trained.coordinates(epoch)[5, 0, 1:6]
        middle = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2]
        found = np.array(trail)[:, epoch] / 0.92 * half + middle
        np.testing.assert_allclose(found, expected, atol=half / 5000)
    assert drawn(pixels(page, "logits")) > 1000


def test_selections_survive_the_way_through_the_url(watched, trained):
    page = watched.open(trained)
    wait_for_maps(page, 5, layers=1)
    rng = np.random.default_rng(0)
    sets = [
        [0],
        [7],
        list(range(1000)),
        sorted(rng.choice(15_000, 40, replace=False).tolist()),
        sorted(rng.choice(15_000, 6_000, replace=False).tolist()),
        [*range(100, 200), 14_999],
    ]
    for rows in sets:
        text = page.evaluate("(rows) => repviz.packRows(rows)", rows)
        assert len(text) < 2600
        assert page.evaluate("(text) => repviz.unpackRows(text)", text) == rows
        assert rows_of(text) == tuple(rows)
    assert page.evaluate("repviz.packRows(Array.from({ length: 400000 }, (_, k) => 2 * k))") is None
    for wrong in ("", "r", "b", "r-", "rzzzzzzzzz", "b!!", "r1-zzzzzzzzz", "x12", "r1..2"):
        assert page.evaluate("(text) => repviz.unpackRows(text)", wrong) is None
