"""The table of runs, what is known of one, and several over each other."""

import os

import pytest

from repviz.dashboards.app import create_app
from repviz.dashboards.runs_table import differing, flat, folder_bytes
from repviz.store.artifacts import write_error
from repviz.store.results_table import write_result


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


def with_config(run, text):
    (run.path / "config.yaml").write_text(text)
    return run


def test_the_table_has_state_best_metrics_size_and_what_differs(client, make_run):
    first = with_config(make_run("20260101_000000", epochs=4, n=40), "model: {lr: 0.1, dims: [4, 2]}\nseed: 0\n")
    with_config(
        make_run("20260102_000000", epochs=1, n=40, state="failed"), "model: {lr: 0.2, dims: [4, 2]}\nseed: 0\n"
    )
    table = client.get("/data/table").json
    assert [run["name"] for run in table["runs"]] == ["20260102_000000", "20260101_000000"]
    assert table["differing"] == ["model.lr"]
    assert [run["config"] for run in table["runs"]] == [{"model.lr": "0.2"}, {"model.lr": "0.1"}]
    entry = table["runs"][1]
    best = max(first.rows[1:], key=lambda row: row["val_accuracy"])
    assert entry["best"] == {name: best[name] for name in ("val_accuracy", "val_f1_macro", "val_loss")}
    assert (entry["state"], entry["epoch"], entry["max_epochs"]) == ("finished", 4, 12)
    assert entry["size"] == sum(p.stat().st_size for p in first.path.rglob("*") if p.is_file())
    only = client.get("/data/table?runs=20260101_000000").json
    assert ([run["name"] for run in only["runs"]], only["differing"]) == (["20260101_000000"], [])


def test_the_table_is_sent_again_only_when_it_has_changed(client, make_run):
    run = make_run(epochs=1, n=40)
    first = client.get("/data/table")
    again = client.get("/data/table", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    run.write_epoch(2)
    assert client.get("/data/table", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_damaged_runs_stay_in_the_table(client, make_run):
    with_config(make_run("20260101_000000", epochs=1, n=40), "a: [1")
    broken = make_run("20260102_000000", epochs=1, n=40)
    (broken.path / "run.json").write_text("{")
    runs = client.get("/data/table").json["runs"]
    assert [run["state"] for run in runs] == ["damaged", "finished"]
    assert runs[0]["problem"]
    assert runs[1]["config"] == {}


def test_settings_that_differ_come_by_how_much_they_vary():
    configs = {"a": {"x": "1", "y": "1", "z": "1"}, "b": {"x": "2", "y": "1"}, "c": {"x": "3", "y": "1", "z": "1"}}
    assert differing(configs) == ["x", "z"]
    assert differing(configs, most=1) == ["x"]
    assert differing({}) == []


def test_settings_have_dotted_names():
    nested = {"a": {"b": {"c": [1, 2]}, "d": None}, "e": True, "f": {}}
    assert flat(nested) == {"a.b.c": "[1, 2]", "a.d": "null", "e": "true", "f": "{}"}


def test_links_do_not_count_as_size(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "large").write_bytes(b"x" * 1000)
    (tmp_path / "run" / "own").write_bytes(b"x" * 10)
    os.symlink(tmp_path / "large", tmp_path / "run" / "link")
    os.symlink(tmp_path, tmp_path / "run" / "loop")
    assert folder_bytes(tmp_path / "run") == 10


def test_what_is_known_of_a_run(client, make_run):
    run = with_config(make_run(epochs=2, n=40), "seed: 0\n")
    write_result(run.path, "model_best", {"val_accuracy": 0.7, "val_f1_macro": 0.6, "val_f1_confidence": 0.8})
    write_error(run.path, "landscape", 1, ValueError("radius is 0"), "Traceback: line 3")
    write_error(run.path, "trajectory", None, ValueError("one checkpoint"), "")
    run.say("failed", error="RuntimeError: loss is NaN", versions={"torch": "2.0"}, ended="2026-01-01T00:00:00+00:00")
    (run.path / "background.log").write_text("worker started\n")
    known = client.get(f"/data/runs/{run.path.name}/log").json
    assert known["config"] == "seed: 0\n"
    assert known["versions"] == {"torch": "2.0"}
    assert known["results"]["rows"] == [
        {"name": "model_best", "val_accuracy": 0.7, "val_f1_macro": 0.6, "val_f1_confidence": 0.8}
    ]
    assert known["background"] == "worker started\n"
    texts = [event["text"] for event in known["events"]]
    assert "landscape failed at epoch 1: ValueError: radius is 0" in texts
    assert "trajectory failed for the whole run: ValueError: one checkpoint" in texts
    assert "training failed: RuntimeError: loss is NaN" in texts
    assert "Traceback: line 3" in [event["details"] for event in known["events"]]
    assert {"kind": "landscape", "configured": False, "count": 0, "last": None, "failed": 1} in known["diagnostics"]
    assert {"kind": "projection", "configured": True, "count": 3, "last": 2, "failed": 0} in known["diagnostics"]


def test_damaged_files_are_named_and_the_rest_is_told(client, make_run):
    run = make_run(epochs=0, n=40)
    (run.path / "results.csv").write_text("name,val_accuracy,val_f1_macro,val_f1_confidence\nx,y,z,w\n")
    known = client.get(f"/data/runs/{run.path.name}/log").json
    assert [text.split(" ")[0] for text in known["problems"]] == ["results.csv"]
    assert known["config"] == ""


def test_a_link_out_of_the_folder_is_not_read(client, make_run, tmp_path):
    run = make_run(epochs=0, n=40)
    (tmp_path / "secret").write_text("a: secret")
    os.symlink(tmp_path / "secret", run.path / "config.yaml")
    answer = client.get(f"/data/runs/{run.path.name}/log")
    assert "secret" not in answer.get_data(as_text=True).replace(str(tmp_path), "")


def test_only_the_end_of_a_long_log_is_sent(client, make_run):
    run = make_run(epochs=0, n=40)
    (run.path / "background.log").write_text("".join(f"line {i:06d}\n" for i in range(20_000)))
    text = client.get(f"/data/runs/{run.path.name}/log").json["background"]
    assert 50_000 < len(text) <= 60_000
    assert text.startswith("line 0")
    assert text.endswith("line 019999\n")
