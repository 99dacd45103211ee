"""Texts are shown, not run: on every page, in the report and in the notebook, whatever ids, names and errors hold."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from repviz.dashboards.pages import PAGES
from repviz.exports.report import write_report
from repviz.run import open_run
from repviz.store.artifacts import write_error
from repviz.store.results_table import write_result
from repviz.store.sample_file import read_sample, write_sample
from tests.dashboards.browser.watching import ARGUMENTS, SIZE, SLOW, Watched
from tests.dashboards.conftest import shots  # noqa: F401
from tests.dashboards.serving import serving
from tests.dashboards.synthetic_diagnostics import add_scores, write_diagnostics
from tests.dashboards.synthetic_run import SyntheticRun
from tests.exports.readers import offline
from tests.reliability.hostile_texts import TEXTS

pytestmark = pytest.mark.browser

NAMES = [text for text in TEXTS if "/" not in text and len(text.encode()) < 200]
HARM = """() => [
    window.__owned,
    document.querySelectorAll('.owned').length,
    document.querySelectorAll('[*|href*="evil"], [*|href^="javascript:"]').length,
    getComputedStyle(document.body).display === 'none',
]"""
NONE = [None, 0, 0, False]


def test_the_corpus_is_large_and_a_page_that_trusts_it_is_harmed(chromium):
    """Were the detectors blind, the silence below would mean nothing."""
    assert len(set(TEXTS)) >= 30
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        page.set_content(TEXTS[2])
        page.wait_for_function("window.__owned === 1")
        page.set_content("".join(TEXTS[8:11]))
        assert page.evaluate(HARM)[1:3] == [4, 2]
        browser.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> SyntheticRun:
    """A run whose ids, texts, classes, columns, errors, settings and facts are the texts; others beside it named so."""
    runs = tmp_path_factory.mktemp("runs")
    n = 3 * len(TEXTS)
    run = SyntheticRun(runs / f"20260909_000000 {NAMES[0]}", n=n, classes=TEXTS, max_epochs=2)
    every = np.array([TEXTS[i % len(TEXTS)] for i in range(n)])
    sample = read_sample(run.path).assign(id=("sample", every), text=("sample", every[::-1]))
    write_sample(run.path, sample.assign_coords(column=[TEXTS[2], TEXTS[5]]))
    for epoch in range(2):
        run.write_epoch(epoch)
        add_scores(run, epoch)
        write_diagnostics(run, epoch)
    for number, text in enumerate(TEXTS):
        write_error(run.path, "dynamics", number, type(text[:40], (Exception,), {})(text), f"Traceback {text}")
    write_error(run.path, "trajectory", None, ValueError(TEXTS[2]), TEXTS[0])
    for name in NAMES[:3]:
        write_result(run.path, name, {"val_accuracy": 0.5, "val_f1_macro": 0.5, "val_f1_confidence": 0.5})
    (run.path / "config.yaml").write_text("\n".join(f"a{i}: {text!r}" for i, text in enumerate(TEXTS)), "utf-8")
    (run.path / "background.log").write_text("\n".join(TEXTS), "utf-8")
    run.say("failed", error=" ".join(TEXTS[:12]), details=TEXTS[0], **facts(TEXTS[2]))
    for number, name in enumerate(NAMES):
        other = SyntheticRun(runs / f"20260101_{number:06d} {name}", n=40, max_epochs=1)
        other.write_epoch(0)
        other.say("finished", **facts(TEXTS[number]))
    return run


def facts(text: str) -> dict[str, object]:
    return {
        "data": {"path": text, "fingerprint": text},
        "versions": {text: text},
        "host": text,
        "monitor": "val_accuracy",
        "sample": {text: 3},
        "continued_from": text,
    }


@pytest.fixture
def watched(hostile, chromium) -> Iterator[Watched]:
    with serving(hostile.path.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        seen = Watched(browser.new_page(viewport=SIZE, reduced_motion="reduce"), address)
        seen.allowed = ("willReadFrequently", "GPU stall", "404")
        seen.said = []
        seen.page.on("console", lambda message: seen.said.append(message.text))
        seen.page.on("dialog", lambda dialog: seen.said.append("OWNED"))
        yield seen
        browser.close()


def hover_over_everything(page: Page) -> None:
    """Move over points of every map and plot, and over what may have a tooltip."""
    boxes = page.evaluate("""() => [...document.querySelectorAll(
            '.map canvas.points, .js-plotly-plot, table tbody tr, button, .problem, .legend *')]
        .filter((node) => node.offsetParent || node.getClientRects().length)
        .map((node) => node.getBoundingClientRect()).filter((b) => b.width > 0 && b.top < innerHeight && b.bottom > 0)
        .map((b) => [b.left, b.top, b.width, b.height]).sort((a, b) => b[2] * b[3] - a[2] * a[3]).slice(0, 14)""")
    for left, top, width, height in boxes:
        large = width * height > 40_000
        for x, y in ((0.3, 0.4), (0.5, 0.5), (0.62, 0.55), (0.45, 0.7)) if large else ((0.5, 0.5),):
            page.mouse.move(left + x * width, top + y * height)
            page.wait_for_timeout(5)


def test_the_pages_show_them_and_nothing_runs(watched, hostile, shots):  # noqa: F811
    page = watched.page
    page.goto(f"{watched.address}/")
    page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    assert page.evaluate("repviz.state.run") == hostile.path.name
    for name in [entry.NAME for entry in PAGES]:
        page.evaluate("(name) => repviz.set({ page: name })", name)
        page.wait_for_timeout(500)
        hover_over_everything(page)
        page.screenshot(path=shots / f"texts_{name}.png")
        assert page.evaluate(HARM) == NONE, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page.locator("#problems").click()
    page.wait_for_timeout(400)
    page.screenshot(path=shots / "texts_problems.png")
    shown = page.locator("body").inner_text()
    assert all(text in shown for text in (TEXTS[0], TEXTS[2], TEXTS[9]))
    assert page.evaluate(HARM) == NONE
    assert not [said for said in watched.said if "OWNED" in said]
    assert watched.outside == []
    assert watched.unexpected() == []


def test_the_report_shows_them_and_nothing_runs(hostile, chromium, tmp_path, shots):  # noqa: F811
    report = write_report(hostile.path, tmp_path / "report.html")
    with offline(report, chromium) as page:
        height = page.evaluate("document.body.scrollHeight")
        for top in range(0, height, 1500):
            page.evaluate("(top) => scrollTo(0, top)", top)
            page.wait_for_timeout(120)
            page.mouse.move(400, 300)
            page.mouse.move(700, 400)
        page.screenshot(path=shots / "texts_report.png")
        assert page.evaluate(HARM) == NONE
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert TEXTS[2] in page.locator("body").inner_text()


def test_the_notebook_shows_them_and_nothing_runs(hostile, chromium):
    runs = sorted(Path(hostile.path.parent).iterdir())
    made = [open_run(path)._repr_html_() for path in runs]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page()
        for path, html in zip(runs, made, strict=True):
            page.set_content(html)  # as a trusted notebook does it, without any policy
            assert path.name.split()[-1] in page.locator("caption").inner_text()
            assert page.evaluate(HARM) == NONE, path.name
        browser.close()
    assert "&lt;img class=owned" in "".join(made)
