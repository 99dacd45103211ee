"""The table of samples, the confusion matrix, and what a click in them selects."""

import csv
import re

import numpy as np
import pytest
import xarray as xr
from playwright.sync_api import expect

from repviz.store.artifacts import write_artifact
from repviz.store.sample_file import read_sample
from tests.dashboards.browser.watching import SLOW, state, wait_for_maps

pytestmark = pytest.mark.browser


def losses(run, epoch: int) -> np.ndarray:
    logits = run.logits(epoch).astype(np.float64)
    known = run.labels >= 0
    own = logits[np.arange(run.n), np.maximum(run.labels, 0)]
    return np.where(known, np.log(np.exp(logits).sum(axis=1)) - own, np.nan)


def first_rows(page, count: int) -> list[int]:
    return [int(text) for text in page.locator(".list-row > span:first-child").all_inner_texts()[:count]]


def test_the_highest_losses_come_first_as_text_and_can_be_sorted_and_filtered(watched, trained, shots):
    page = watched.open(trained, "page=samples")
    wait_for_maps(page, 5, layers=1)
    loss = losses(trained, 5)
    worst = np.argsort(-np.nan_to_num(loss, nan=-1), kind="stable")
    expect(page.locator(".list-row").first).to_be_visible(timeout=SLOW)
    assert first_rows(page, 10) == worst[:10].tolist()
    assert page.locator("#table .list").get_attribute("aria-rowcount") == "1501"
    assert page.locator(".list-row").count() < 40  # of 1,500
    page.wait_for_timeout(300)
    page.screenshot(path=shots / f"samples_{state(page, 'theme')}.png")
    page.get_by_role("columnheader", name="row").get_by_role("button").click()
    expect(page.locator(".list-row > span").first).to_have_text("0")
    expect(page.locator(".list-row").first).to_contain_text("<img src=x onerror=")
    assert page.locator(".list-row img").count() == 0
    assert page.evaluate("document.body.dataset.hacked") is None
    assert "sort=row.up" in page.url
    page.get_by_role("columnheader", name="text").get_by_role("button").click()
    texts = [text.casefold() for text in read_sample(trained.path)["text"].values]
    alphabetical = sorted(range(1500), key=lambda row: (texts[row], row))
    expect(page.locator("#table-state")).to_contain_text("by text, from A to Z", timeout=SLOW)
    expect(page.locator(".list-row > span:first-child").nth(1)).to_have_text(str(alphabetical[1]), timeout=SLOW)
    assert first_rows(page, 8) == alphabetical[:8]
    for _ in range(2):
        page.get_by_role("columnheader", name=re.compile(r"^id")).get_by_role("button").click()
    expect(page.locator(".list-row > span").first).to_have_text("1499", timeout=SLOW)
    assert "sort=id.down" in page.url
    page.get_by_role("columnheader", name="row").get_by_role("button").click()
    page.locator("#find").fill("package-12")
    expect(page.locator("#table-state")).to_contain_text("100 of 1,500", timeout=SLOW)
    page.locator("label", has_text="wrong").click()
    matching = [k for k in range(1500) if "package-12" in f"package-{k:04d}"]
    wrong = [k for k in matching if trained.labels[k] >= 0 and trained.logits(5)[k].argmax() != trained.labels[k]]
    expect(page.locator("#table-state")).to_contain_text(f"{len(wrong)} of 1,500", timeout=SLOW)
    expect(page.locator(".list-row > span:first-child").first).to_have_text(str(wrong[0]), timeout=SLOW)
    assert first_rows(page, 8) == wrong[:8]
    page.get_by_text("select these").click()
    page.wait_for_function("repviz.state.selection !== null")
    assert state(page, "selection") == wrong
    with page.expect_download() as download:
        page.locator("#export").click()
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [int(line["row"]) for line in table] == wrong
    np.testing.assert_allclose([float(line["loss"]) for line in table], loss[wrong], rtol=1e-4)
    assert [line["label"] for line in table] == [trained.classes[trained.labels[k]] for k in wrong]


def test_keys_move_through_the_table_and_choose_a_point(watched, trained):
    page = watched.open(trained, "page=samples&epoch=2&sort=row.up")
    wait_for_maps(page, 2, layers=1)
    expect(page.locator(".list-row").first).to_be_visible(timeout=SLOW)
    page.locator("#table .list").focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("repviz.state.point === 2")
    assert state(page, "epoch") == 2  # the arrows did not move through the epochs
    expect(page.locator("#sample")).to_contain_text("package-0002", timeout=SLOW)
    expect(page.locator(".list-row[aria-selected=true] > span").first).to_have_text("2")
    page.keyboard.press("End")
    expect(page.locator(".list-row.active > span").first).to_have_text("1499")
    assert page.locator(".list-row.active").get_attribute("aria-rowindex") == "1501"
    page.keyboard.press("PageUp")
    assert 1400 < int(page.locator(".list-row.active > span").first.inner_text()) < 1490


def test_a_cell_of_the_matrix_selects_its_samples_everywhere(watched, trained, shots):
    page = watched.open(trained)
    wait_for_maps(page, 5, layers=1)
    graph = "document.querySelector('#confusion .js-plotly-plot')"
    page.wait_for_function(f"{graph}?.dataset.repviz === '1'", timeout=SLOW)
    val = (trained.split == 1) & (trained.labels >= 0)
    predicted = trained.logits(5).argmax(axis=1)
    cells = np.zeros((20, 20), int)
    np.add.at(cells, (trained.labels[val], predicted[val]), 1)
    np.fill_diagonal(cells, 0)
    own, said = np.unravel_index(cells.argmax(), cells.shape)
    matrix = page.locator("#confusion .nsewdrag").first
    matrix.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    page.screenshot(path=shots / "prediction.png")
    box = matrix.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (said + 0.5) / 20, box["y"] + box["height"] * (own + 0.5) / 20)
    page.wait_for_function("repviz.state.selection !== null", timeout=SLOW)
    wanted = np.flatnonzero(val & (trained.labels == own) & (predicted == said)).tolist()
    assert state(page, "selection") == wanted
    names = trained.classes
    expect(page.locator("#selection")).to_contain_text(f"{names[own]} predicted as {names[said]}")
    page.locator("#selection").get_by_text("show in the table").click()
    expect(page.locator(".list-row")).to_have_count(len(wanted))
    assert sorted(first_rows(page, len(wanted))) == wanted
    page.get_by_text("Overview").click()
    page.locator("#per-class button", has_text="science").click()
    page.wait_for_function(f"repviz.state.selection.length === {int((trained.labels == names.index('science')).sum())}")


def test_without_a_prediction_it_is_said_what_makes_one_and_dynamics_sort_first(watched, make_run):
    run = make_run("20250116_000000", epochs=1, n=60)
    page = watched.open(run)
    expect(page.locator("#prediction-empty")).to_contain_text("repviz diagnose --only prediction", timeout=SLOW)
    expect(page.locator("#prediction")).to_be_hidden()
    page.evaluate("repviz.set({ page: 'samples' })")
    expect(page.locator("#table-empty")).to_contain_text("no prediction has been made", timeout=SLOW)
    expect(page.locator(".list-row > span").first).to_have_text("0", timeout=SLOW)
    suspicion = np.random.default_rng(5).random(60).astype(np.float32)
    facts = {"suspicion": ("sample", suspicion), "forgetting": ("sample", np.arange(60, dtype=np.int32))}
    write_artifact(run.path, "dynamics", 1, xr.Dataset(facts), step=50, version=1)
    expect(page.get_by_role("columnheader", name="suspicion")).to_be_visible(timeout=SLOW)
    expect(page.locator(".list-row > span").first).to_have_text(str(suspicion.argmax()), timeout=SLOW)
    page.get_by_role("columnheader", name="forgetting").get_by_role("button").click()
    expect(page.locator(".list-row > span").first).to_have_text("59")
