"""The password, read-only, and the entry for other servers."""

import importlib
import re
import sys

import pytest

from repviz.dashboards import login
from repviz.dashboards.app import create_app
from repviz.dashboards.login import COOKIE, PAUSE_SECONDS, WRONG_ALLOWED, Attempts
from repviz.dashboards.serve import make_server
from repviz.errors import UserError

PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
"""As Chromium asks for a page."""


@pytest.fixture
def app(runs_dir):
    return create_app(runs_dir, password="open sesame").server


def log_in(client, password="open sesame", query=""):
    return client.post(f"/login{query}", data={"password": password})


@pytest.mark.parametrize(
    "path", ["/data/runs", "/assets/20_state.js", "/_dash-layout", "/_dash-dependencies", "/data/x"]
)
def test_nothing_is_given_without_the_password(app, path):
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.json["problem"]) == (401, "login")
    assert app.test_client().post("/_dash-update-component", json={}).status_code == 401


def test_a_page_leads_to_the_form_and_back_to_what_was_asked_for(app):
    client = app.test_client()
    asked = client.get("/?run=x&page=probes", headers=PAGE)
    assert (asked.status_code, asked.headers["Location"]) == (302, "/login?run=x&page=probes")
    form = client.get("/login?run=x&page=probes")
    assert form.headers["Referrer-Policy"] == "same-origin"
    assert 'action="login?run=x&amp;page=probes"' in form.get_data(as_text=True)
    entered = log_in(client, query="?run=x&page=probes")
    assert (entered.status_code, entered.headers["Location"]) == (302, "/?run=x&page=probes")
    assert client.get("/data/runs").status_code == 200
    assert client.get("/", headers=PAGE).status_code == 200


def test_the_form_needs_nothing_that_only_the_password_opens(app):
    form = app.test_client().get("/login").get_data(as_text=True)
    (icon,) = re.findall(r'<link rel="icon" type="image/svg\+xml" href="(data:[^"]+)">', form)
    assert re.findall(r"href|src|url|@import", form.replace(icon, "")) == ["href"]


def test_the_cookie_is_for_this_site_and_not_for_scripts(app):
    cookie = log_in(app.test_client()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    secure = app.test_client().post("/login", data={"password": "open sesame"}, base_url="https://localhost")
    assert "Secure" in secure.headers["Set-Cookie"]


def test_markup_in_the_address_stays_text(app):
    form = app.test_client().get('/login?"><script>1</script>').get_data(as_text=True)
    assert "<script>" not in form


@pytest.mark.parametrize("password", ["", "open", "open sesame ", "OPEN SESAME", "ö" * 1000])
def test_another_password_is_refused(app, password):
    client = app.test_client()
    answer = log_in(client, password)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert client.get("/data/runs").status_code == 401


@pytest.mark.parametrize(("verdict", "given", "status"), [(False, "open sesame", 403), (True, "wrong", 302)])
def test_whether_it_is_right_hangs_on_the_comparison_in_constant_time_alone(app, monkeypatch, verdict, given, status):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return verdict

    monkeypatch.setattr(login.hmac, "compare_digest", compare)
    client = app.test_client()
    for attempt in (given, "", "open", "another one"):
        compared.clear()
        assert log_in(client, attempt).status_code == (status if attempt == given else 302 if verdict else 403)
        ((one, other),) = compared
        assert len(one) == len(other), "the time tells not even the length"


def test_a_cookie_of_another_password_or_a_changed_one_does_not_count(app, runs_dir):
    other = create_app(runs_dir, password="other").server.test_client()
    log_in(other, "other")
    theirs = other.get_cookie(COOKIE).value
    client = app.test_client()
    log_in(client)
    own = client.get_cookie(COOKIE).value
    for value in (theirs, own[:-2] + ("AA" if own[-2:] != "AA" else "BB"), "x", ""):
        client.set_cookie(COOKIE, value)
        assert client.get("/data/runs").status_code == 401
    again = create_app(runs_dir, password="open sesame").server.test_client()
    again.set_cookie(COOKIE, own)
    assert again.get("/data/runs").status_code == 200


def test_too_many_wrong_ones_pause_even_for_the_right_one(app):
    client = app.test_client()
    assert [log_in(client, "wrong").status_code for _ in range(WRONG_ALLOWED + 1)] == [403] * WRONG_ALLOWED + [429]
    answer = log_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= PAUSE_SECONDS
    elsewhere = client.post("/login", data={"password": "open sesame"}, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert elsewhere.status_code == 302


def test_after_the_pause_one_try_is_free():
    now = [100.0]
    attempts = Attempts(lambda: now[0])
    for _ in range(WRONG_ALLOWED):
        assert attempts.pause("a") == 0
        attempts.wrong("a")
    assert attempts.pause("a") == PAUSE_SECONDS
    now[0] += PAUSE_SECONDS
    assert attempts.pause("a") == 0
    attempts.wrong("a")
    assert attempts.pause("a") == PAUSE_SECONDS
    attempts.right("a")
    assert attempts.pause("a") == 0


def test_read_only_refuses_what_is_not_reading(runs_dir):
    server = create_app(runs_dir, read_only=True).server
    server.add_url_rule("/remove", "remove", lambda: "gone", methods=["POST", "GET"])
    client = server.test_client()
    assert client.get("/remove").status_code == 200
    assert client.post("/remove").status_code == 405
    assert client.delete("/data/runs").status_code == 405
    assert client.post("/data/runs/x/figures/probe/1").status_code == 404  # drawing is reading
    free = create_app(runs_dir).server
    free.add_url_rule("/remove", "remove", lambda: "gone", methods=["POST"])
    assert free.test_client().post("/remove").status_code == 200


def test_the_environment_gives_the_password_and_an_empty_one_is_refused(runs_dir, monkeypatch, capsys):
    monkeypatch.setenv("REPVIZ_PASSWORD", "from outside")
    server = make_server(str(runs_dir), "0.0.0.0", 0)
    server.close()
    said = capsys.readouterr().out
    assert "not encrypted" in said
    assert "from outside" not in said
    with pytest.raises(UserError, match="password is empty"):
        make_server(str(runs_dir), "127.0.0.1", 0, password="")


# --- the WSGI entry ---


def entry(monkeypatch, **environment):
    for name in ("REPVIZ_RUNS_DIR", "REPVIZ_PASSWORD", "REPVIZ_HOSTS", "REPVIZ_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop("repviz.dashboards.wsgi", None)
    return importlib.import_module("repviz.dashboards.wsgi").application


def test_the_entry_serves_what_the_environment_says(monkeypatch, make_run, runs_dir):
    run = make_run(epochs=0, n=40)
    client = entry(monkeypatch, REPVIZ_RUNS_DIR=str(runs_dir)).test_client()
    assert client.get("/data/runs").json["runs"][0]["name"] == run.path.name
    assert client.get("/data/runs", headers={"Host": "viz.example.org"}).status_code == 403


def test_other_names_need_a_password(monkeypatch, runs_dir):
    with pytest.raises(UserError, match="REPVIZ_PASSWORD"):
        entry(monkeypatch, REPVIZ_RUNS_DIR=str(runs_dir), REPVIZ_HOSTS="viz.example.org")
    there = {"REPVIZ_RUNS_DIR": str(runs_dir), "REPVIZ_HOSTS": "viz.example.org", "REPVIZ_PASSWORD": "x"}
    client = entry(monkeypatch, **there, REPVIZ_READ_ONLY="1").test_client()
    assert client.get("/data/runs", headers={"Host": "viz.example.org"}).status_code == 401
    assert client.get("/data/runs", headers={"Host": "evil.example.org"}).status_code == 403
    assert client.delete("/data/runs", headers={"Host": "viz.example.org"}).status_code == 405


def test_without_a_folder_the_entry_says_what_to_set(monkeypatch):
    with pytest.raises(UserError, match="REPVIZ_RUNS_DIR"):
        entry(monkeypatch)
