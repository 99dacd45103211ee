"""An address that does not exist is answered by a page that says so and leads back."""

import re
from urllib.parse import urljoin, urlsplit

import pytest

from repviz.dashboards.app import create_app

PATHS = (
    *("/nowhere", "/nowhere/", "/nowhere/at/all", "/runs/20260101_000000/representations", "/login", "/_dash-nope"),
    *("/assets/nothing.css", "/assets/nothing/at/all"),
)


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


@pytest.mark.parametrize("path", PATHS)
def test_it_says_so_and_all_that_it_names_is_found_from_there(client, path):
    answer = client.get(path)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no such page" in page
    assert f"<code>{path}</code>" in page
    named = re.findall(r'(?:href|src)="(?!data:)([^"]+)"|url\("([^"]+)"\)', page)
    addresses = {urljoin(f"http://localhost{path}", link or style) for link, style in named}
    assert {urlsplit(address).path for address in addresses} == {
        *("/", "/assets/scheme.js", "/assets/inter-latin.woff2"),
    }
    assert all(client.get(address).status_code == 200 for address in addresses)


def test_markup_in_the_address_stays_text(client):
    page = client.get("/a/<img src=x onerror=alert(1)>").get_data(as_text=True)
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_the_overview_and_the_data_answer_as_before(client):
    assert "There is no such page" not in client.get("/?page=nowhere").get_data(as_text=True)
    assert client.get("/data/nowhere").json["problem"] == "missing"
    assert client.post("/nowhere").status_code == 405


def test_the_password_comes_first(runs_dir):
    client = create_app(runs_dir, password="open sesame").server.test_client()
    assert client.get("/nowhere", headers={"Accept": "text/html"}).headers["Location"].startswith("/login")
    assert client.get("/nowhere").status_code == 401
