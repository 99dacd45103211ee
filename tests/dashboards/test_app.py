"""The app as a whole: independent of others, careful with what it is sent, light to import; its callbacks."""

import gzip
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from dash import no_update
from plotly.offline import get_plotlyjs_version

from repviz.dashboards import guard
from repviz.dashboards.app import create_app
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.ids import CURVES_REQUEST
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.page_files import ASSETS
from repviz.dashboards.pages.epoch_prediction import drawn
from repviz.dashboards.pages.overview import curves
from repviz.figures.metrics import PANELS
from repviz.store.artifacts import artifact_path
from repviz.store.results_table import write_result
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


def test_the_part_of_plotly_in_the_assets_is_of_the_version_that_python_draws_for():
    part = (ASSETS / "10_plotly_light.js").read_text("utf-8")
    assert re.findall(r'"(\d+\.\d+\.\d+)"', part).count(get_plotlyjs_version()) >= 1


def test_the_page_asks_for_all_scripts_at_once_and_they_are_kept(client):
    page = client.get("/").get_data(as_text=True)
    assert "polyfill" not in page
    assert "/dash_table/" not in page
    (address,) = re.findall(r'src="(assets/all[^"]+)"', page)
    packed = client.get(f"/{address}", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "immutable" in packed.headers["Cache-Control"]
    content = client.get(f"/{address}").data
    assert gzip.decompress(packed.data) == content
    assert all(path.read_bytes() in content for path in ASSETS.glob("[1-9]*.js"))
    assert client.get("/assets/all.0000.js").status_code == 404


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


@pytest.fixture
def draw_prediction(runs_dir):
    catalog = Catalog(runs_dir)
    cache = FileCache(1_000_000)
    return lambda asked: drawn(asked, catalog, cache)


def test_the_baseline_is_in_the_curves_once_training_has_ended(draw, make_run):
    run = make_run(epochs=2)
    names = [len(figure.data) for figure in draw({"run": run.path.name})]
    write_result(run.path, "logistic_regression", {"val_accuracy": 0.5, "val_f1_macro": 0.4, "val_f1_confidence": 0.6})
    more = [len(figure.data) for figure in draw({"run": run.path.name})]
    assert [b - a for a, b in zip(names, more, strict=True)] == [0, 1, 2, 0, 0]


def test_matrix_and_classes_are_those_of_the_epoch(draw_prediction, make_run):
    run = make_run(epochs=3, n=900, kinds=("projection", "prediction"))
    matrix, diagram, table, title, below = draw_prediction({"run": run.path.name, "epoch": 3, "theme": "dark"})
    val = (run.split == 1) & (run.labels >= 0)
    predicted = run.logits(3).argmax(axis=1)
    counts = np.zeros((len(run.classes),) * 2, int)
    np.add.at(counts, (run.labels[val], predicted[val]), 1)
    np.testing.assert_array_equal(matrix.data[0].customdata, counts)
    assert matrix.layout.paper_bgcolor == DARK.surface
    assert len(diagram.data) == 3
    accuracy = (predicted == run.labels)[val].mean()
    assert title == f"Confusion · epoch 3 · accuracy {accuracy:.1%} of {val.sum()} rows (val points of the sample)"
    assert "epoch 3" in below
    lines = table.children[1].children
    assert [line.children[-1].children for line in lines] == [str(n) for n in counts.sum(axis=1)]
    recall = [line.children[2].children for line in lines]
    assert recall == [f"{counts[k, k] / counts[k].sum():.2f}" for k in range(len(counts))]


@pytest.mark.parametrize("asked", [None, "x", 3, [], {}, {"run": "r", "epoch": "0"}, {"run": "r", "epoch": True}])
def test_a_prediction_of_another_shape_draws_nothing(draw_prediction, asked):
    assert draw_prediction(asked) == [no_update] * 5


@pytest.mark.parametrize("run", ["../etc", "nope", None])
def test_a_prediction_that_is_not_there_says_so(draw_prediction, make_run, run):
    made = make_run(epochs=0, n=40)
    for name in (run, made.path.name):
        matrix, _, table, title, _ = draw_prediction({"run": name, "epoch": 0, "theme": "light"})
        assert (len(matrix.data), table) == (0, [])
        assert "there is no run" in title or "has no 'prediction'" in title


def test_a_damaged_prediction_is_named(draw_prediction, make_run):
    run = make_run(epochs=0, n=40, kinds=("projection", "prediction"))
    artifact_path(run.path, "prediction", 0).write_bytes(b"nothing")
    assert "epoch_000000.h5" in draw_prediction({"run": run.path.name, "epoch": 0})[3]


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
