"""The app as a whole: independent of others, careful with what it is sent, light to import."""

import ast
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs_version

from repviz.dashboards import guard
from repviz.dashboards.app import create_app
from repviz.dashboards.page_files import ASSETS


@pytest.fixture
def app(runs_dir):
    return create_app(runs_dir)


@pytest.fixture
def client(app):
    return app.server.test_client()


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


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://[", "//[x", "http://localhost.evil"])
def test_another_sites_page_may_not_post(client, origin):
    answer = client.post("/_dash-update-component", json={}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "site" in answer.get_data(as_text=True)


def test_large_bodies_are_refused(client):
    large = json.dumps({"output": "x" * guard.MAX_BODY_BYTES})
    assert client.post("/_dash-update-component", data=large, content_type="application/json").status_code == 413


def test_the_policy_forbids_every_other_origin(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"


def test_no_callback_runs_on_the_server_and_whoever_asks_for_one_is_refused(app, client):
    assert not [name for name, callback in app.callback_map.items() if "callback" in callback]
    assert client.post("/_dash-update-component", json={"output": "app-config.data", "inputs": []}).status_code == 400


def test_the_environment_switches_no_debug_mode_on(runs_dir, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert create_app(runs_dir).server.debug is False


_UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "diskcache"}


def test_nothing_of_ours_that_serves_reads_pickles_or_a_cache_of_them(runs_dir):
    code = (
        "import sys; from repviz.dashboards.app import create_app; import repviz.dashboards.serve;"
        f"create_app({str(runs_dir)!r});"
        "print('diskcache' in sys.modules);"
        "[print(m.__file__) for n, m in sys.modules.items() if n.partition('.')[0] == 'repviz' and m.__file__]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    has_cache, *files = done.stdout.splitlines()
    assert has_cache == "False"
    assert len(files) > 30
    assert {"guard.py", "artifacts.py", "hdf5.py"} <= {Path(file).name for file in files}
    found = {file: imported(Path(file).read_text()) & _UNPICKLING for file in files}
    assert not {file: names for file, names in found.items() if names}


def imported(source: str) -> set[str]:
    """Top-level names of what a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("__import__", "import_module")):
            names |= {ast.literal_eval(arg).partition(".")[0] for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return names


def test_imports_are_seen_wherever_they_are():
    source = "def f():\n  import pickle.x as y\n  from dill import loads\n  import_module('joblib.z')"
    assert imported(source) == {"pickle", "dill", "joblib"}


def test_dash_is_not_in_debug_mode_and_errors_show_no_traceback(app, client):
    assert not app.server.debug
    answer = client.post("/_dash-update-component", json={"output": "no.such", "inputs": [], "outputs": {}})
    assert answer.status_code >= 400
    assert "Traceback" not in answer.get_data(as_text=True)
