"""The page of an address that does not exist, seen."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("watched", "background"), [("light", "rgb(245, 246, 248)"), ("dark", "rgb(14, 17, 22)")], indirect=["watched"]
)
def test_it_has_the_colours_that_were_chosen_and_leads_to_the_overview(watched, background, trained, shots):
    watched.allowed = ("404",)
    page = watched.page
    page.goto(f"{watched.address}/runs/{trained.path.name}/representations")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
    assert page.evaluate("document.fonts.check('15px \"Inter Variable\"')")
    page.screenshot(path=shots / f"nowhere_{background[4:6]}.png")
    page.get_by_role("link", name="To the overview").click()
    page.wait_for_selector("html[data-repviz=ready]")
    expect(page.locator("#page-overview")).to_be_visible()


def test_a_choice_of_the_pages_own_counts_for_it_too(watched):
    watched.allowed = ("404",)
    page = watched.page
    page.goto(f"{watched.address}/nowhere")
    page.evaluate("localStorage.setItem('mantine-color-scheme-value', 'dark')")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
