"""One browser, server and folder for all tests here: a browser that knows the scripts opens a page much faster."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.dashboards.browser.watching import ARGUMENTS, SIZE, Watched
from tests.dashboards.serving import serving
from tests.dashboards.synthetic_diagnostics import KINDS, add_scores, write_diagnostics
from tests.dashboards.synthetic_run import SyntheticRun

LANDSCAPES = (0, 3, 5)
"""Epochs of the complete run that have one: not each epoch has every kind."""


@pytest.fixture(scope="package")
def browser(chromium):
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def shared(tmp_path_factory) -> Iterator[tuple[Path, str]]:
    """One folder and server for all tests here: a browser that knows its scripts opens a page much faster."""
    folder = tmp_path_factory.mktemp("runs")
    with serving(folder) as address:
        yield folder, address


@pytest.fixture(scope="package")
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


@pytest.fixture
def passing(shared) -> Iterator[Callable[[str], Path]]:
    """Names folders of runs that are removed once the page is closed: an open page would ask for them on."""
    made: list[Path] = []

    def name(folder: str) -> Path:
        made.append(shared[0] / folder)
        return made[-1]

    yield name
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture(params=["light"])
def watched(request, contexts, shared, passing) -> Iterator[Watched]:
    page = contexts[request.param].new_page()
    seen = Watched(page, shared[1])
    yield seen
    page.evaluate("localStorage.clear()")
    page.close()
    assert seen.unexpected() == []
    assert seen.outside == []


@pytest.fixture(scope="package")
def trained(shared) -> SyntheticRun:
    """A finished run that tests only look at."""
    run = SyntheticRun(shared[0] / "20250101_120000", n=1500, max_epochs=6, kinds=("projection", "prediction"))
    for epoch in range(6):
        run.write_epoch(epoch)
    run.say("finished")
    return run


@pytest.fixture(scope="package")
def complete(shared) -> SyntheticRun:
    """A finished run with all diagnostics, which tests only look at."""
    run = SyntheticRun(shared[0] / "20250201_120000", n=150, max_epochs=6)
    for epoch in range(6):
        run.write_epoch(epoch)
        add_scores(run, epoch)
        write_diagnostics(run, epoch, tuple(kind for kind in KINDS if kind != "landscape" or epoch in LANDSCAPES))
    run.say("finished", kinds=["projection", *KINDS])
    return run
