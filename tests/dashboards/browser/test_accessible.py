"""Pages without figures, dialogs and problems for keyboards and screen readers; test_figures looks at the others."""

import pytest
from playwright.sync_api import expect

from repviz.store.artifacts import write_error
from tests.conftest import soaking
from tests.dashboards.browser.accessibility import Findings
from tests.dashboards.browser.watching import PLOTLY_WARNS, SLOW, state, wait_for_maps

pytestmark = pytest.mark.browser

STANDS_STILL = "() => document.getAnimations().every((each) => each.playState !== 'running')"
ALL_ARE_DRAWN = """() => [...document.querySelectorAll('.view-plot, .chart-plot')].filter((plot) => plot.clientHeight)
    .every((plot) => plot.querySelector('.main-svg') || plot.closest('.view')?.querySelector('.empty'))"""


@pytest.mark.parametrize("watched", ["light", "dark"], indirect=True)
def test_pages_have_names_roles_and_contrast_and_no_control_for_the_mouse_alone(watched, complete):
    watched.allowed = PLOTLY_WARNS
    page = watched.open(complete)
    found = Findings()
    for name in ("overview", "representations", "samples", "film", "runs", "compare", "log"):
        page.evaluate(f"repviz.set({{ page: '{name}' }})")
        page.locator(f"#page-{name}").wait_for()
        page.wait_for_function(ALL_ARE_DRAWN, timeout=SLOW)
        found.look(page, name)
    assert not found, str(found)


@pytest.mark.parametrize(
    ("watched", "name"),
    [("light", "20250117_000000"), pytest.param("dark", "20250118_000000", marks=soaking)],
    indirect=["watched"],
)
def test_so_have_problems_dialogs_and_what_is_empty(watched, name, make_run):
    run = make_run(name, epochs=2, n=80, state="failed", layers=("input", "logits"))
    for kind in ("projection", "probe"):
        write_error(run.path, kind, 1, ValueError("no <b>such</b> thing"), "Traceback: here")
    page = watched.open(run)
    found = Findings()
    expect(page.locator("#problems")).to_be_visible()
    found.look(page, "a run with problems")
    page.locator("#problems").click()
    expect(page.locator(".problem")).to_have_count(2)
    page.wait_for_function(STANDS_STILL)
    found.look(page, "problems", ".mantine-Drawer-content")
    page.keyboard.press("Escape")
    page.locator(".mantine-Drawer-content").wait_for(state="detached")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    page.wait_for_function(STANDS_STILL)
    found.look(page, "keys", ".mantine-Modal-content")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.evaluate("repviz.set({ page: 'landscape' })")
    page.locator(".empty:visible, .view-message:visible").first.wait_for()
    found.look(page, "an empty page")
    assert not found, str(found)


ACTIVE_ROWS = """async () => {
    const mount = document.createElement("div");
    document.body.append(mount);
    const list = new repviz.RowList(mount, "rows", {});
    list.root.style.cssText = "height: 200px; overflow: auto";
    let give;
    const fill = (rows) => new Promise((resolve) => (give = () => resolve(rows.map(() => ({ name: "x" })))));
    const named = [];
    const note = () => {
        const id = list.root.getAttribute("aria-activedescendant");
        named.push(id === null ? null : [id, list.root.querySelector(`#${id}`) !== null]);
    };
    await list.draw();
    note();
    const rows = [...Array(500).keys()];
    list.show([{ key: "name", title: "name", width: "1fr" }], rows, { key: "name", down: false }, fill);
    note();
    let drawn = list.draw();
    give();
    await drawn;
    note();
    list.root.scrollTop = 9000;
    drawn = list.draw();
    give();
    await drawn;
    note();
    mount.remove();
    return named;
}"""


def test_the_active_row_of_a_list_is_named_only_while_it_exists(watched, complete):
    """Not before its texts have come, and not once it is scrolled out of sight."""
    page = watched.open(complete)
    assert page.evaluate(ACTIVE_ROWS) == [None, None, ["list-row-0", True], None]


def test_the_keyboard_alone_goes_to_a_page_and_a_modified_click_opens_it_beside(watched, trained):
    page = watched.open(trained, "epoch=2&classes=1,3")
    page.evaluate("window.notReloaded = true")
    page.locator("#nav-overview").focus()
    page.keyboard.press("Tab")
    expect(page.locator("#nav-representations")).to_be_focused()
    page.keyboard.press("Enter")
    wait_for_maps(page, 2)
    expect(page.locator("#nav-representations")).to_have_attribute("aria-current", "page")
    assert page.evaluate("window.notReloaded")
    with page.context.expect_page() as opened:
        page.locator("#nav-samples").click(modifiers=["ControlOrMeta"])
    beside = opened.value
    beside.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
    assert state(beside, "page") == "samples"
    assert state(beside, "classes") == [1, 3]
    assert state(page, "page") == "representations"
    beside.close()
