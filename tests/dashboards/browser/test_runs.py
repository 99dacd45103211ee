"""The table of runs, comparing, configuration and log; the password."""

import shutil
import threading

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import expect

from repviz.dashboards.serve import address_of, make_server
from repviz.store.artifacts import write_artifact
from repviz.store.results_table import write_result
from repviz.store.sample_file import read_sample, write_sample
from tests.dashboards.browser.watching import SIZE, SLOW, drag, state, wait_for_maps
from tests.dashboards.serving import run_until_closed
from tests.dashboards.synthetic_run import LAYERS, SyntheticRun

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
    broken = two[first].path.with_name("20250303_000000")
    broken.mkdir()
    (broken / "run.json").write_text("{ this is no JSON")
    page = watched.open(two[first], "page=runs")
    page.locator(".runs tbody tr").first.wait_for(timeout=SLOW)
    expect(page.locator(".runs tbody tr", has_text=broken.name).locator(".badge-damaged")).to_have_text("damaged")
    assert page.locator(".runs .badge-damaged").count() == 1
    page.screenshot(path=shots / "runs_one_damaged.png")
    shutil.rmtree(broken)
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
    with page.expect_download(timeout=SLOW) as download:
        page.locator(".compared .curves").get_by_label("save the numbers as CSV").click()
    assert download.value.suggested_filename == "compare_curves.csv"
    page.reload()
    expect(page.locator(".compare h3").first).to_have_text("Learning curves of 2 runs", timeout=SLOW)
    expect(page.locator(".likeness")).to_contain_text(f"--only similarity --run-dir {two[first].path}", timeout=SLOW)
    page.get_by_label(f"no longer compare {second}").click()
    expect(page.locator(".compare")).to_contain_text("No other run is pinned")
    page.get_by_role("button", name="All runs").click()
    page.get_by_role("link", name=second).press("Enter")
    page.wait_for_function(f"repviz.data.manifest?.run === '{second}'", timeout=SLOW)
    assert state(page, "page") == "overview"


@pytest.fixture(scope="module")
def turned(shared, trained):
    """A run of the points of ``trained`` in another order, some of them others, whose maps are turned and mirrored."""
    run = SyntheticRun(shared[0] / "20250303_000000", n=1500, max_epochs=6)
    own = run.coordinates
    run.coordinates = lambda epoch: own(epoch)[:, :, ::-1, ::-1] * np.float32([1, -1])
    ids = [f"package-{k:04d}" for k in range(1499, -1, -1)]
    ids[:100] = [f"another-{k}" for k in range(100)]
    write_sample(run.path, read_sample(run.path).assign(id=("sample", np.array(ids))))
    for epoch in range(4):
        run.write_epoch(epoch)
    run.say("finished")
    for made, step in ((trained, 1), (run, -1)):
        keep = {f"activations_{k}": (("point", f"axis_{k}"), made.coordinates(0)[k, 0, ::step]) for k in range(6)}
        facts = {"point_index": ("point", np.arange(1500)[::step]), "stored": ("layer", np.arange(6))}
        write_artifact(made.path, "similarity", 0, xr.Dataset(keep | facts, {"layer": LAYERS}), step=0, version=1)
    return run


def test_the_same_points_are_side_by_side_and_selected_together(watched, trained, turned, shots):
    other, name = turned.path.name, trained.path.name
    page = watched.open(trained, f"page=compare&axes=free&epoch=3&layer=block3&method=pca&pinned={other}")
    wait_for_maps(page, 3, layers=2)
    maps = page.locator(".same-points .map")
    assert maps.locator("h3").all_inner_texts() == [name, other]
    expect(maps.nth(1)).to_contain_text("1,400 of 1,500 points")
    left, right = page.evaluate(
        "repviz.grids.at(-1).maps.map(({ place, present }) => [[...place.x], [...place.y], present && [...present]])"
    )
    there = np.array(right[2], bool)
    assert there.tolist() == [True] * 1400 + [False] * 100
    # The same run in another order, quantised in a box of its own: the same places.
    np.testing.assert_allclose(np.array(right[:2])[:, there], np.array(left[:2])[:, there], atol=1e-3)
    expect(page.locator(".likeness h3")).to_contain_text(f"Layers of {name} at epoch 0", timeout=SLOW)
    matrix = page.evaluate("document.querySelector('.likeness .view-plot')._fullData[0].z.map((row) => [...row])")
    np.testing.assert_allclose(np.diag(matrix), 1, atol=1e-4)
    page.locator(".same-points label", has_text="box").click()
    maps.nth(1).evaluate("map => map.scrollIntoView({ block: 'center' })")
    drag(page, other, [(0.4, 0.3), (0.5, 0.4), (0.62, 0.66)])
    page.wait_for_function("repviz.state.selection !== null", timeout=SLOW)
    chosen = state(page, "selection")
    assert 20 < len(chosen) < 1000
    assert max(chosen) < 1400
    assert [
        len(rows)
        for rows in page.evaluate("repviz.grids.at(-1).maps.map((map) => [...map.plot.get('selectedPoints')])")
    ] == [len(chosen)] * 2
    page.locator(".same-points label", has_text="move").click()
    row = chosen[0]
    where = "map.screen(map.place.x[row], map.place.y[row])"
    at = page.evaluate(f"(row) => {{ const map = repviz.grids.at(-1).maps[1]; return {where}; }}", row)
    maps.nth(1).evaluate("map => map.scrollIntoView({ block: 'center' })")
    box = maps.nth(1).locator("canvas.points").bounding_box()
    page.mouse.move(box["x"] + at[0] - 3, box["y"] + at[1])
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    page.wait_for_function("repviz.grids.at(-1).maps[0].marked !== null", timeout=SLOW)
    marked = page.evaluate("repviz.grids.at(-1).maps.map((map) => map.marked)")
    assert marked[0] == marked[1]
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "compare_maps.png")
    page.keyboard.press(".")
    page.wait_for_function("repviz.grids.at(-1).maps[0].root.dataset.epoch === '4'", timeout=SLOW)
    expect(maps.nth(1)).to_contain_text("epoch 3")  # the other run ends there


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
    page, refused = browser.new_page(viewport=SIZE), []
    page.on("response", lambda answer: answer.status < 400 or refused.append((answer.status, answer.url)))
    address = address_of(server, "127.0.0.1")
    page.goto(f"{address}/?run=20250301_000000&page=log")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the password.")
    page.screenshot(path=shots / "login.png")
    assert refused == [(403, f"{address}/login?run=20250301_000000&page=log")], "only the wrong password is refused"
    page.get_by_label("Password").fill("open sesame")
    page.keyboard.press("Enter")
    expect(page.locator(".config-text")).to_contain_text("lr: 0.1", timeout=SLOW)
    page.close()
    server.close()
