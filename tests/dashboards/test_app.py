"""The app as a whole: independent of others, careful with what it is sent, light to import; its callbacks."""

import json
import subprocess
import sys

import pytest
from dash import no_update

from repviz.dashboards import guard
from repviz.dashboards.app import create_app
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.ids import CURVES_REQUEST
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.pages.overview import curves
from repviz.figures.metrics import PANELS
from repviz.theme import DARK


@pytest.fixture
def app(runs_dir):
    return create_app(runs_dir)


@pytest.fixture
def client(app):
    return app.server.test_client()


@pytest.fixture
def draw(runs_dir):
    catalog = Catalog(runs_dir)
    manifests = Manifests(catalog, FileCache(1_000_000))
    return lambda asked: curves(asked, catalog, manifests)


def test_two_apps_in_one_process_have_all_callbacks(runs_dir, tmp_path):
    first, second = create_app(runs_dir), create_app(tmp_path)
    assert len(first.callback_map) == len(second.callback_map) > 0
    listed = [app.server.test_client().get("/_dash-dependencies").json for app in (first, second)]
    assert len(listed[0]) == len(listed[1]) > 10


def test_every_callback_names_components_of_the_layout(app, client):
    there = set()

    def collect(node):
        if isinstance(node, dict):
            if "id" in node and isinstance(node["id"], str):
                there.add(node["id"])
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(client.get("/_dash-layout").json)
    for callback in client.get("/_dash-dependencies").json:
        for item in callback["inputs"] + callback["state"]:
            assert item["id"] in there


def test_the_page_and_its_assets_are_all_served_from_here(client):
    page = client.get("/").get_data(as_text=True)
    sources = [part.split('"')[0] for mark in ('src="', 'href="') for part in page.split(mark)[1:]]
    assert sources
    for source in sources:
        assert "//" not in source.removeprefix("/")
        assert client.get("/" + source.removeprefix("/")).status_code == 200, source


def test_the_app_imports_neither_torch_nor_lightning():
    code = (
        "import sys; from repviz.dashboards.app import create_app; create_app('nowhere');"
        "print(sorted({'torch', 'lightning', 'sklearn', 'umap'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- curves ---


def test_curves_are_drawn_from_the_table(draw, make_run):
    run = make_run(epochs=5)
    figures = draw({"run": run.path.name, "theme": "dark", "log": True})
    assert len(figures) == len(PANELS)
    loss = figures[0]
    assert list(loss.data[1].x) == [0, 1, 2, 3, 4, 5]
    assert list(loss.data[1].y) == [row["val_loss"] for row in run.rows]
    assert loss.layout.paper_bgcolor == DARK.surface
    assert loss.layout.yaxis.type == "log"
    assert loss.layout.uirevision == run.path.name


@pytest.mark.parametrize("run", ["../etc", "nope", "", None, 3, {"a": 1}, ["x"]])
def test_curves_of_no_run_are_empty(draw, make_run, run):
    make_run(epochs=0, n=40)
    assert [len(figure.data) for figure in draw({"run": run, "theme": "no such", "log": "yes"})] == [0] * len(PANELS)


@pytest.mark.parametrize("asked", [None, "x", 3, []])
def test_a_request_of_another_shape_draws_nothing(draw, asked):
    assert draw(asked) == [no_update] * len(PANELS)


def test_the_callback_answers_over_http(client, make_run):
    run = make_run(epochs=1, n=40)
    outputs = [callback for callback in client.get("/_dash-dependencies").json if "curve-loss" in callback["output"]]
    server_side = next(callback for callback in outputs if callback["clientside_function"] is None)
    request = {
        "output": server_side["output"],
        "outputs": [{"id": f"curve-{name}", "property": "figure"} for name in PANELS],
        "inputs": [{"id": CURVES_REQUEST, "property": "data", "value": {"run": run.path.name, "theme": "light"}}],
        "changedPropIds": [f"{CURVES_REQUEST}.data"],
    }
    answer = client.post("/_dash-update-component", json=request)
    assert answer.status_code == 200
    assert answer.json["response"]["curve-loss"]["figure"]["data"]


# --- the guard ---


@pytest.mark.parametrize("host", ["localhost", "localhost:8050", "127.0.0.1:1", "[::1]:8050", "127.9.9.9", "LOCALHOST"])
def test_loopback_names_are_served(client, host):
    assert client.get("/data/runs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.5:8050", "0.0.0.0"),
        *("evil@localhost", "[", "localhost:8050@evil.example"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/data/runs", "/_dash-layout", "/assets/20_state.js"])
def test_foreign_hosts_are_refused(client, host, path):
    assert client.get(path, headers={"Host": host}).status_code in (400, 403)


def test_a_server_for_others_takes_addresses_and_its_own_names(monkeypatch):
    monkeypatch.setattr(guard.socket, "gethostname", lambda: "Workstation")
    monkeypatch.setattr(guard.socket, "getfqdn", lambda: "workstation.lab.example")
    accepted = guard.accepted_host("0.0.0.0")
    assert all(map(accepted, ["localhost", "192.168.1.7", "fe80::1", "workstation", "workstation.lab.example"]))
    assert not any(map(accepted, ["evil.example", "", "workstation.evil.example"]))


def test_another_sites_page_may_not_post(client):
    answer = client.post("/_dash-update-component", json={}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_large_bodies_are_refused(client):
    large = json.dumps({"output": "x" * guard.MAX_BODY_BYTES})
    assert client.post("/_dash-update-component", data=large, content_type="application/json").status_code == 413


def test_the_policy_forbids_every_other_origin(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"


def test_dash_is_not_in_debug_mode_and_errors_show_no_traceback(app, client):
    assert not app.server.debug
    answer = client.post("/_dash-update-component", json={"output": "no.such", "inputs": [], "outputs": {}})
    assert answer.status_code >= 400
    assert "Traceback" not in answer.get_data(as_text=True)
