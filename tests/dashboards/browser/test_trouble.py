"""What is empty, broken, strange or unusual is said or drawn, and nothing crashes."""

import pytest
from playwright.sync_api import expect

from repviz.store.artifacts import artifact_path, write_error
from tests.dashboards.browser.watching import SLOW, drawn, pixels, wait_for_maps

pytestmark = pytest.mark.browser


def test_a_strange_url_still_shows_the_run(watched, trained):
    page = watched.open(trained, "epoch=99&page=representations&layer=nope&classes=a,b&splits=;")
    wait_for_maps(page, 5)
    page = watched.open(trained, "page=../etc&method=x&axes=y&epoch=-3")
    wait_for_maps(page, 5, layers=1)
    page = watched.open(None, "run=../../etc")
    expect(page.locator("#notice")).to_contain_text("There is no run ../../etc", timeout=SLOW)
    watched.allowed = ("404",)


def test_a_run_without_projection_says_what_switches_it_on(watched, make_run, shots):
    run = make_run("20250106_000000", epochs=0, n=60)
    artifact_path(run.path, "projection", 0).unlink()
    run.say("finished", kinds=[])
    page = watched.open(run, "page=representations")
    expect(page.locator("#maps-empty")).to_contain_text("--projection.enabled=true", timeout=SLOW)
    page.screenshot(path=shots / "no_projection.png")
    expect(page.locator("#page-representations .toolbar")).to_be_hidden()
    page.get_by_text("Overview").click()
    expect(page.locator(".overview-grid .maps-notice")).to_contain_text("This run has no projection")
    page.wait_for_timeout(500)
    page.screenshot(path=shots / "no_projection_overview.png")


def test_failures_are_shown_with_their_reason(watched, make_run, shots):
    run = make_run("20250107_000000", epochs=1, n=60)
    run.say("failed", error="RuntimeError: loss is NaN")
    write_error(run.path, "landscape", 1, ValueError("radius <script>1</script> is 0"), "Traceback: line 3")
    write_error(run.path, "trajectory", None, ValueError("one checkpoint is no path"), "Traceback: line 4")
    page = watched.open(run)
    page.get_by_text("3 problems").click(timeout=SLOW)
    expect(page.locator(".problem", has_text="trajectory failed for the whole run")).to_contain_text("is no path")
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
