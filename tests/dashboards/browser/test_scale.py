"""A run of 1,000 classes and one of 1,000 epochs: every control still works, and a poll brings what is new alone."""

import shutil

import pytest
from playwright.sync_api import expect

from repviz.store.artifacts import artifact_path
from repviz.store.metrics_table import write_metrics
from tests.dashboards.browser.watching import SLOW, wait_for_maps
from tests.dashboards.synthetic_run import SyntheticRun

pytestmark = pytest.mark.browser

CLASSES, EPOCHS = 1000, 1000


@pytest.fixture
def many_classes(passing):
    path = passing("20250202_120000")
    names = tuple(f"class {k:04d}" for k in range(CLASSES))
    run = SyntheticRun(path, n=4000, classes=names, layers=("input", "logits"), kinds=("projection", "prediction"))
    run.write_epoch(0)
    run.say("finished")
    return run


def add_epochs(run: SyntheticRun, first: int, last: int) -> None:
    """Rows and maps of epochs, the maps being copies of those at 0."""
    run.rows += [
        {"epoch": e, "step": 50 * e, "val_loss": 3 / (1 + e), "val_accuracy": e / (9 + e)} for e in range(first, last)
    ]
    write_metrics(run.path, run.rows)
    for epoch in range(first, last):
        shutil.copyfile(artifact_path(run.path, "projection", 0), artifact_path(run.path, "projection", epoch))


@pytest.fixture
def many_epochs(passing):
    path = passing("20250303_120000")
    run = SyntheticRun(path, n=40, layers=("logits",), max_epochs=2 * EPOCHS)
    run.write_epoch(0)
    add_epochs(run, 1, EPOCHS)
    run.say("running")
    return run


def test_a_thousand_classes_are_searched_and_the_worst_of_them_shown(watched, many_classes, shots):
    page = watched.open(many_classes)
    wait_for_maps(page, 0, layers=1)
    expect(page.locator(".per-class tbody tr")).to_have_count(100, timeout=SLOW)
    expect(page.locator(".per-class caption")).to_contain_text("100 of 1,000 classes")
    page.wait_for_function(
        "document.querySelector('#confusion .js-plotly-plot')?._fullData?.[0]?.z?.length === 100", timeout=SLOW
    )
    page.locator("#confusion").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "thousand_classes_overview.png")
    # A click selects the class that the cell stands for, not the one at its place in the whole matrix.
    cell = page.evaluate(
        """() => {
            const graph = document.querySelector('#confusion .js-plotly-plot');
            const { x, y, customdata } = graph._fullData[0];
            const flat = Array.from({ length: 1e4 }, (_, i) => i);
            const at = flat.find((i) => customdata[Math.floor(i / 100)][i % 100] > 0);
            const [row, column] = [Math.floor(at / 100), at % 100];
            const point = { pointIndex: [row, column], customdata: customdata[row][column] };
            graph.emit('plotly_click', { points: [point] });
            return [y[row], x[column]];
        }"""
    )
    expect(page.locator("#selection")).to_contain_text(f"{cell[0]} predicted as {cell[1]}", timeout=SLOW)
    page.get_by_text("Representations").click()
    wait_for_maps(page, 0, layers=2)
    entries = page.locator("#legend .legend-list .legend-entry")
    expect(entries).to_have_count(60)
    page.get_by_label("find a class").fill("0777")
    expect(entries).to_have_count(1)
    entries.click()
    assert page.evaluate("repviz.state.classes") == [777]
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "thousand_classes_representations.png")


def test_a_thousand_epochs_are_followed_by_what_is_new(watched, many_epochs, shots):
    page = watched.open(many_epochs, "page=representations")
    wait_for_maps(page, 0, layers=1)  # which is what the copies say they are
    at = page.locator(".epoch-readout strong")
    expect(at).to_have_text(str(EPOCHS - 1))
    page.locator(".track input").fill("500")
    expect(at).to_have_text("500")
    page.keyboard.press("ArrowRight")
    expect(at).to_have_text("501")
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "thousand_epochs.png")
    page.keyboard.press("End")
    expect(at).to_have_text(str(EPOCHS - 1))
    polled = []

    def note(response) -> None:
        if "/manifest" in response.url or "/metrics" in response.url:
            polled.append((response.url, len(response.body()) if response.status == 200 else 0))

    page.on("response", note)
    add_epochs(many_epochs, EPOCHS, EPOCHS + 1)
    expect(at).to_have_text(str(EPOCHS), timeout=SLOW)
    page.wait_for_function(f"repviz.data.rows.length === {EPOCHS + 1}", timeout=SLOW)
    assert page.evaluate("repviz.data.rows.map((row) => row.epoch)") == list(range(EPOCHS + 1))
    assert page.evaluate("repviz.data.manifest.artifacts.projection.epochs") == list(range(EPOCHS + 1))
    assert all("since=" in url or "from=" in url for url, _ in polled)
    assert 0 < max(size for _, size in polled) < 10_000
