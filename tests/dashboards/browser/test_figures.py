"""Pages of figures: each draws at every epoch, moves when played, keeps what was chosen, says what is missing."""

import pytest
from playwright.sync_api import expect

from repviz.store.artifacts import artifact_path, write_error
from tests.conftest import soaking
from tests.dashboards.browser.accessibility import Findings
from tests.dashboards.browser.conftest import LANDSCAPES
from tests.dashboards.browser.watching import PLOTLY_WARNS, SLOW, state
from tests.dashboards.synthetic_diagnostics import add_scores, write_diagnostics

pytestmark = pytest.mark.browser

PAGES = {
    "scatter": [("scatter_matrix", False)],
    "probes": [("probe", False), ("probe", True)],
    "surface": [("surface", False), ("surface", True)],
    "interpolation": [("interpolation", False), ("interpolation", True)],
    "neurons": [("response", False), ("response", True)],
    "landscape": [("landscape", False), ("landscape", True)],
    "layers": [("similarity", False), ("similarity", True), ("geometry", False), ("geometry", True)],
    "other": [("prediction", False), ("prediction", True)],
}
IN_DARK = ("scatter", "landscape", "layers")
"""A page of each kind of drawing: the others differ in nothing that the theme changes."""


def wait_for_figures(page, epoch, cards=None):
    """Until every card of the page, or each of ``cards``, has drawn: those of one epoch ``epoch``.

    These runs have no trajectory, so its card never draws.
    """
    page.wait_for_function(
        """([epoch, cards]) => {
            const asked = ({ dataset }) => cards === null ? dataset.picture !== "trajectory"
                : cards.some(([picture, over]) => dataset.picture === picture && dataset.over === String(over));
            const shown = [...document.querySelectorAll(".view[data-picture]")].filter((view) => view.offsetParent);
            const views = shown.filter(asked);
            return views.length > 0 && (cards === null || views.length === cards.length)
                && views.every((view) => view.dataset.over === 'true' ? view.dataset.epoch === ''
                    : view.dataset.epoch === String(epoch))
                && views.every((view) => view.querySelector('.main-svg'));
        }""",
        arg=[epoch, cards],
        timeout=SLOW,
    )


def card(page, picture, over=False):
    return page.locator(f".view[data-picture={picture}][data-over={str(over).lower()}]:visible")


def plot_of(picture, over=False):
    return f"document.querySelector('[data-picture={picture}][data-over={str(over).lower()}] .view-plot')"


def wait_until_cards_are_filled(page):
    page.wait_for_function(
        """() => [...document.querySelectorAll('.view-plot')].filter((plot) => plot.offsetParent).every((plot) => {
            const { width, height } = plot._fullLayout;
            return Math.abs(width - plot.clientWidth) < 2 && Math.abs(height - plot.clientHeight) < 2 && height > 200;
        })""",
        timeout=SLOW,
    )


@pytest.mark.parametrize("watched", ["light", pytest.param("dark", marks=soaking)], indirect=True)
def test_every_page_draws_at_the_first_a_middle_and_the_last_epoch(watched, complete, shots):
    watched.allowed = PLOTLY_WARNS
    page = watched.open(complete)
    dark, found = state(page, "theme") == "dark", Findings()
    for name, cards in {name: PAGES[name] for name in PAGES if not dark or name in IN_DARK}.items():
        page.locator(f"#nav-{name}").click()
        steps = (("Home", 0), ("ArrowRight", 3 if name == "landscape" else 1), ("End", 5))
        for key, epoch in steps[-1:] if dark else steps:
            page.keyboard.press(key)
            wait_for_figures(page, epoch, cards)
        wait_until_cards_are_filled(page)
        assert page.locator(".view-heading h3:visible", has_text="epoch 5").count() == sum(
            not over for _, over in cards
        )
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.screenshot(path=shots / f"{name}_{state(page, 'theme')}.png")
        found.look(page, name)
    assert not found, str(found)


def test_the_slider_runs_over_the_epochs_that_exist_and_an_earlier_one_is_named(watched, complete):
    watched.allowed = PLOTLY_WARNS
    page = watched.open(complete, "page=landscape&epoch=4")
    wait_for_figures(page, 3)
    expect(page.locator(".epoch-readout strong")).to_have_text("3")
    assert page.evaluate("repviz.timeline()") == list(LANDSCAPES)
    page.locator("#nav-probes").click()
    wait_for_figures(page, 4)
    page.evaluate("repviz.set({ page: 'film', film: 'landscape' })")
    page.locator(".film-frame").first.wait_for(timeout=SLOW)
    assert page.locator(".film-frame").evaluate_all("frames => frames.map((f) => f.dataset.epoch)") == ["0", "3", "5"]
    expect(page.locator(".film-frame[aria-current=true]")).to_have_attribute("data-epoch", "3")
    page.locator(".film-frame").last.click()
    assert state(page, "epoch") == 5


def test_choices_are_what_the_figure_declares_and_stay_in_the_address(watched, complete):
    watched.allowed = PLOTLY_WARNS
    page = watched.open(complete, "page=landscape&epoch=3")
    wait_for_figures(page, 3)
    page.locator(".segments label", has_text="surface").click()
    types = "[...document.querySelector('[data-picture=landscape] .view-plot')._fullData].map((t) => t.type)"
    page.wait_for_function(f"{types}.includes('surface')", timeout=SLOW)
    page.evaluate("repviz.set({ layer: 'logits' })")
    page.reload()
    page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    wait_for_figures(page, 3)
    page.wait_for_function(f"{types}.includes('surface')", timeout=SLOW)
    expect(page.locator(".segments input:checked[value=surface]")).to_have_count(1)
    page.locator("#nav-probes").click()
    wait_for_figures(page, 3)
    expect(page.locator("#tools-probes select")).to_have_value("logits")
    names = f"{plot_of('probe', over=True)}._fullData.filter((t) => t.showlegend).map((t) => t.name)"
    assert page.evaluate(names) == ["logits", "control: shuffled labels", "chance"]


def test_choices_that_the_data_has_come_and_go_with_what_is_shown(watched, complete, shots):
    page = watched.open(complete, "page=surface&epoch=4")
    wait_for_figures(page, 4)
    tools = page.locator("#tools-surface")
    expect(tools.get_by_label("against")).to_have_value("nothing")
    expect(tools.get_by_label("class", exact=True).locator("option")).to_have_count(0)
    tools.locator(".segments label", has_text="probability").click()
    tools.locator("select[data-control='surface.class']").select_option("2", timeout=SLOW)
    tools.get_by_label("against").select_option("first")
    title = card(page, "surface").locator(".view-note")
    expect(title).to_contain_text("epoch 4 − epoch 0", timeout=SLOW)
    assert "surface.class.2" in page.evaluate("decodeURIComponent(location.search)")
    page.screenshot(path=shots / "surface_against.png")
    page.reload()
    page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    expect(title).to_contain_text("epoch 4 − epoch 0", timeout=SLOW)
    page.keyboard.press("ArrowLeft")
    expect(title).to_contain_text("epoch 3 − epoch 0", timeout=SLOW)
    tools.locator(".segments label", has_text="surrogate").click()
    expect(tools.get_by_label("against")).to_have_count(0, timeout=SLOW)
    page.locator("#nav-interpolation").click()
    page.locator("#tools-interpolation .segments label", has_text="one pair").click()
    pair = page.locator("#tools-interpolation select[data-control='interpolation.pair']")
    pair.select_option("5", timeout=SLOW)
    expect(card(page, "interpolation").locator("h3")).to_contain_text("pair 5:", timeout=SLOW)


def drag(page, box, start, end):
    """Press at ``start`` and let go at ``end``, both as shares of a box."""
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    for step in (0.3, 0.6, 1.0):
        x, y = (a + (b - a) * step for a, b in zip(start, end, strict=True))
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(100)  # plotly looks at the mouse once per frame
    page.mouse.up()


def test_zoom_and_camera_stay_from_epoch_to_epoch(watched, complete):
    watched.allowed = PLOTLY_WARNS
    page = watched.open(complete, "page=landscape&epoch=0&options=landscape.shape.surface")
    wait_for_figures(page, 0)
    usual = page.evaluate(f"{plot_of('landscape')}._fullLayout.scene.camera.eye")
    drag(page, page.locator("[data-picture=landscape] #scene").bounding_box(), (0.5, 0.5), (0.6, 0.55))
    eye = f"{plot_of('landscape')}._fullLayout.scene.camera.eye"
    page.wait_for_function(f"{eye}.x !== {usual['x']}", timeout=SLOW)
    turned = page.evaluate(eye)
    page.keyboard.press("ArrowRight")
    wait_for_figures(page, 3)
    assert page.evaluate(eye) == pytest.approx(turned)
    page.locator("#nav-interpolation").click()
    wait_for_figures(page, 3)
    drag(page, card(page, "interpolation").locator(".nsewdrag").first.bounding_box(), (0.2, 0.5), (0.4, 0.52))
    span = f"{plot_of('interpolation')}._fullLayout.xaxis.range"
    page.wait_for_function(f"{span}[1] < 0.6", timeout=SLOW)
    zoomed = page.evaluate(span)
    page.keyboard.press("ArrowRight")
    wait_for_figures(page, 4)
    assert page.evaluate(span) == zoomed


def test_play_moves_figures_and_a_click_over_epochs_goes_there(watched, complete):
    page = watched.open(complete, "page=probes&epoch=2")
    wait_for_figures(page, 2)
    page.evaluate("repviz.set({ speed: 4 })")
    page.keyboard.press(" ")
    wait_for_figures(page, 5)
    expect(page.get_by_label("Play (space)")).to_be_visible(timeout=SLOW)
    over = "document.querySelector('[data-picture=probe][data-over=true] .view-plot')"
    stands = f"""(epoch) => {{
        const line = {over}.querySelector('.epoch-line');
        const axis = {over}._fullLayout.xaxis;
        return Math.abs(parseFloat(line.style.left) - axis._offset - axis.d2p(epoch)) < 1;
    }}"""
    page.wait_for_function(stands, arg=5, timeout=SLOW)
    page.evaluate(f"{over}.emit('plotly_click', {{ points: [{{ x: 1 }}] }})")
    wait_for_figures(page, 1)
    page.wait_for_function(stands, arg=1, timeout=SLOW)


def test_what_is_saved(watched, complete, tmp_path):
    page = watched.open(complete, "page=probes&epoch=3")
    wait_for_figures(page, 3)
    for label, name, start in (
        ("save as PNG", "20250201_120000_probe_epoch_3.png", b"\x89PNG"),
        ("save as SVG", "20250201_120000_probe_epoch_3.svg", b"<svg"),
        ("save the numbers as CSV", "20250201_120000_probe_epoch_3.csv", b"layer,"),
    ):
        with page.expect_download(timeout=SLOW) as download:
            card(page, "probe").get_by_label(label).click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    text = (tmp_path / "20250201_120000_probe_epoch_3.svg").read_text("utf-8")
    assert "Linear probes · epoch 3" in text


def test_graphs_of_the_overview_are_saved_too(watched, complete, tmp_path):
    page = watched.open(complete, "page=overview&epoch=3")
    for graph, header in (
        ("confusion", "class,class_name,class_predicted,class_predicted_name,confusion"),
        ("calibration", "bin,bin_count,bin_confidence,bin_accuracy"),
        ("loss", "epoch,train_loss,val_loss"),
    ):
        shown = page.locator(f".card[data-graph={graph}]")
        shown.locator(".main-svg").first.wait_for(timeout=SLOW)
        for label, ending in (("save as SVG", "svg"), ("save the numbers as CSV", "csv")):
            shown.hover()
            with page.expect_download(timeout=SLOW) as download:
                shown.get_by_label(label).click()
            assert download.value.suggested_filename.endswith(f".{ending}")
            path = tmp_path / f"{graph}.{ending}"
            download.value.save_as(path)
        assert path.read_text("utf-8").startswith(header)
        assert shown.locator("h3").inner_text() in (tmp_path / f"{graph}.svg").read_text("utf-8")
    page.locator(".card[data-graph=confusion]").get_by_label("full screen").click()
    page.wait_for_function("document.fullscreenElement?.dataset.graph === 'confusion'", timeout=SLOW)


def test_what_is_off_failed_or_damaged_is_said_with_what_mends_it(watched, make_run, shots):
    watched.allowed = ("422",)
    run = make_run("20250202_000000", epochs=3, n=60)
    for epoch in range(4):
        write_diagnostics(run, epoch, ("surface", "response"))
    write_error(run.path, "geometry", 2, ValueError("no class has two points"), "Traceback")
    write_error(run.path, "response", 3, ValueError("no unit"), "Traceback")
    artifact_path(run.path, "response", 3).unlink()
    artifact_path(run.path, "surface", 3).write_bytes(artifact_path(run.path, "surface", 3).read_bytes()[:2000])
    run.say("finished", kinds=["projection", "geometry", "surface"])
    page = watched.open(run, "page=probes")
    message = page.locator(".view-message:visible")
    expect(message).to_contain_text("probe is off in this run", timeout=SLOW)
    expect(message).to_contain_text(f"repviz diagnose --only probe --run-dir {run.path}")
    page.screenshot(path=shots / "off.png")
    page.locator("#nav-layers").click()
    expect(card(page, "geometry").locator(".view-message")).to_contain_text("no class has two points")
    page.locator("#nav-surface").click()
    expect(card(page, "surface").locator(".view-message")).to_contain_text(
        "A damaged artifact at epoch 3", timeout=SLOW
    )
    expect(card(page, "surface", over=True)).to_contain_text("epoch 3 cannot be read and is left out")
    page.screenshot(path=shots / "damaged.png")
    page.keyboard.press("ArrowLeft")
    wait_for_figures(page, 2)
    page.locator("#nav-neurons").click()
    wait_for_figures(page, 2)
    expect(card(page, "response")).to_contain_text("response failed at epoch 3: ValueError: no unit")


def test_a_growing_run_is_followed_on_a_page_of_figures(watched, make_run):
    run = make_run("20250203_000000", epochs=1, n=60, state="running")
    page = watched.open(run, "page=probes")
    run.say("running", kinds=["projection", "probe"])
    expect(page.locator(".view-message:visible")).to_contain_text("No probe yet", timeout=SLOW)
    write_diagnostics(run, 1, ("probe",))
    wait_for_figures(page, 1, [("probe", False)])
    run.write_epoch(2)
    write_diagnostics(run, 2, ("probe",))
    wait_for_figures(page, 2, [("probe", False), ("probe", True)])
    run.say("finished")


def test_unusual_runs_have_their_figures_too(watched, make_run, shots):
    one = make_run("20250204_000000", epochs=0, n=40, classes=("all",), layers=("logits",))
    add_scores(one, 0)
    write_diagnostics(one, 0, ("surface", "interpolation"))
    many = make_run("20250205_000000", epochs=0, n=600, classes=tuple(f"class number {k}" for k in range(200)))
    add_scores(many, 0)
    write_diagnostics(many, 0, ("surface",))
    for run in (one, many):
        page = watched.open(run, "page=scatter")
        for name in ("scatter", "surface", "interpolation") if run is one else ("scatter", "surface"):
            page.locator(f"#nav-{name}").click()
            wait_for_figures(page, 0)
            page.screenshot(path=shots / f"{name}_{run.path.name}.png")
    assert page.evaluate("repviz.timeline()") == [0]


def test_a_selection_of_a_million_points_reaches_the_figures(watched, complete):
    page = watched.open(complete, "page=neurons&epoch=5")
    wait_for_figures(page, 5)
    page.evaluate("repviz.set({ selection: Array.from({ length: 500_000 }, (_, k) => 2 * k) })")
    stressed = f"{plot_of('response')}?._fullData?.[0]?.selectedpoints"
    page.wait_for_function(f"{stressed}?.length === {complete.n // 2}", timeout=SLOW)
    assert page.evaluate(f"Array.from({stressed}).every((row, at) => row === 2 * at)")


def test_titles_of_panels_do_not_lie_over_each_other_in_a_narrow_window(watched, complete):
    page = watched.page
    page.set_viewport_size({"width": 800, "height": 1100})
    for name in ("layers", "interpolation", "neurons"):
        watched.open(complete, f"page={name}&epoch=5")
        wait_for_figures(page, 5)
        over = page.evaluate(
            """[...document.querySelectorAll('.view-plot')].filter((plot) => plot.offsetParent).flatMap((plot) => {
                const titles = [...plot.querySelectorAll('.annotation-text')].map((t) => t.getBoundingClientRect());
                return titles.filter((a) => titles.some((b) => a !== b && a.left < b.right && b.left < a.right
                    && a.top < b.bottom && b.top < a.bottom));
            }).length"""
        )
        assert over == 0, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("watched", ["dark"], indirect=True)
def test_buttons_of_plotly_are_drawings_that_one_can_see_and_none_sends_the_chart_away(watched, complete):
    page = watched.open(complete, "page=probes&epoch=5")
    wait_for_figures(page, 5)
    buttons = page.evaluate(
        """[...document.querySelectorAll('.view-plot .modebar-btn')].map((button) => ({
            title: button.dataset.title,
            behind: getComputedStyle(button.querySelector('svg')).backgroundColor,
            color: getComputedStyle(button.querySelector('path')).fill,
            surface: getComputedStyle(button.closest('.card')).backgroundColor,
        }))"""
    )
    assert {button["behind"] for button in buttons} == {"rgba(0, 0, 0, 0)"}
    assert {button["color"] for button in buttons}.isdisjoint({button["surface"] for button in buttons})
    titles = {button["title"] for button in buttons}
    assert {"Zoom", "Pan", "Reset axes"} <= titles
    assert not [title for title in titles if "Share" in title or "Cloud" in title]
