"""The table of runs, comparing, configuration and log; the password."""

import threading

import pytest
from playwright.sync_api import expect

from repviz.dashboards.serve import address_of, make_server
from repviz.store.results_table import write_result
from tests.dashboards.browser.watching import SIZE, SLOW, state
from tests.dashboards.serving import run_until_closed
from tests.dashboards.synthetic_run import SyntheticRun

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def two(shared):
    """Two runs that differ in a setting."""
    made = {}
    for name, lr, epochs in (("20250301_000000", 0.1, 3), ("20250302_000000", 0.2, 5)):
        run = SyntheticRun(shared[0] / name, n=60)
        for epoch in range(epochs + 1):
            run.write_epoch(epoch)
        run.say("finished")
        (run.path / "config.yaml").write_text(f"model: {{lr: {lr}}}\nseed: 0\n")
        made[name] = run
    return made


def names(page):
    return page.locator(".runs tbody th a").evaluate_all("links => links.map((link) => link.textContent)")


def test_runs_are_searched_sorted_pinned_opened_and_compared(watched, two, shots):
    first, second = two
    page = watched.open(two[first], "page=runs")
    page.locator(".runs tbody tr").first.wait_for(timeout=SLOW)
    page.get_by_label("search the runs").fill("2025030 lr=0.")
    assert names(page) == [second, first]
    page.get_by_role("button", name="best val accuracy").click()
    assert names(page) == [second, first]
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("best val accuracy")
    page.get_by_role("button", name="best val accuracy").press("Enter")
    assert names(page) == [first, second]
    page.get_by_label(f"pin {second} to compare it").press(" ")
    assert f"pinned={second}" in page.url
    page.screenshot(path=shots / "runs.png")
    page.locator("#nav-compare").click()
    expect(page.locator(".compare h3").first).to_have_text("Learning curves of 2 runs", timeout=SLOW)
    expect(page.locator(".compare tr", has_text="model.lr")).to_contain_text("0.10.2")
    page.wait_for_timeout(500)
    page.screenshot(path=shots / "compare.png")
    page.reload()
    expect(page.locator(".compare h3").first).to_have_text("Learning curves of 2 runs", timeout=SLOW)
    page.get_by_label(f"no longer compare {second}").click()
    expect(page.locator(".compare")).to_contain_text("No other run is pinned")
    page.get_by_role("button", name="All runs").click()
    page.get_by_role("link", name=second).press("Enter")
    page.wait_for_function(f"repviz.data.manifest?.run === '{second}'", timeout=SLOW)
    assert state(page, "page") == "overview"


def test_configuration_results_and_errors(watched, two, shots):
    run = two["20250301_000000"]
    for name, value in (("model_best", 0.7), ("logistic_regression", 0.6)):
        write_result(run.path, name, {"val_accuracy": value, "val_f1_macro": value, "val_f1_confidence": value})
    run.say("failed", error="RuntimeError: <b>loss</b> is NaN", versions={"torch": "2.0"})
    page = watched.open(run, "page=log")
    expect(page.locator(".config-text")).to_contain_text("model: {lr: 0.1}", timeout=SLOW)
    expect(page.locator(".events")).to_contain_text("training failed: RuntimeError: <b>loss</b> is NaN")
    expect(page.locator(".log-side tr", has_text="logistic regression")).to_contain_text("0.6000")
    expect(page.locator(".facts", has_text="torch")).to_contain_text("2.0")
    page.screenshot(path=shots / "log.png")


@pytest.mark.parametrize("width", [1280, 700])
def test_nothing_is_wider_than_the_window(watched, two, width):
    watched.page.set_viewport_size({"width": width, "height": 900})
    first, second = two
    page = watched.open(two[first], f"page=runs&pinned={second}")
    for name in ("runs", "compare", "log"):
        page.evaluate(f"repviz.set({{ page: '{name}' }})")
        page.locator(f"#mount-{name} .card").first.wait_for(timeout=SLOW)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def test_the_password_is_asked_for_once(browser, two, runs_dir, shots):
    server = make_server(str(runs_dir), "127.0.0.1", 0, password="open sesame")
    threading.Thread(target=run_until_closed, args=[server], daemon=True).start()
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{address_of(server, '127.0.0.1')}/?run=20250301_000000&page=log")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    page.screenshot(path=shots / "login.png")
    page.get_by_label("Password").fill("open sesame")
    page.keyboard.press("Enter")
    expect(page.locator(".config-text")).to_contain_text("lr: 0.1", timeout=SLOW)
    page.close()
    server.close()
