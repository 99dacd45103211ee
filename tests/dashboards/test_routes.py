"""The data routes, asked as a browser would, and as someone with bad intentions would."""

import json
import os
import time

import h5py
import numpy as np
import pytest

from repviz.atomic import write_bytes
from repviz.dashboards.app import create_app
from repviz.dashboards.frames import MISSING, header_of
from repviz.store.artifacts import artifact_path, write_error


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


def body(block: bytes, dtype: str) -> np.ndarray:
    return np.frombuffer(block[4 + int.from_bytes(block[:4], "little") :], dtype)


def test_a_frame_gives_back_the_coordinates(client, make_run):
    run = make_run(epochs=2)
    answer = client.get(f"/data/runs/{run.path.name}/frames/pca/2")
    header = header_of(answer.data)
    values = body(answer.data, "<i2").reshape(len(run.layers), 2, run.n)
    assert header["layers"] == list(run.layers)
    assert header["epoch"] == 2
    expected = run.coordinates(2)[:, 0]
    for layer, (x_min, x_max, y_min, y_max) in enumerate(header["extents"]):
        half = max(x_max - x_min, y_max - y_min) / 2
        middle = np.array([(x_min + x_max) / 2, (y_min + y_max) / 2])
        found = values[layer].T / 32767 * half + middle
        np.testing.assert_allclose(found, expected[layer], atol=half / 32767)


def test_a_frame_is_three_times_smaller_than_typed_arrays(client, make_run):
    run = make_run(epochs=0)
    frame = client.get(f"/data/runs/{run.path.name}/frames/umap/0").data
    base64_of_x_y_and_color = (4 + 4 + 1) * 4 / 3 * run.n * len(run.layers)
    assert len(frame) * 2.9 < base64_of_x_y_and_color


def test_missing_values_and_single_points_travel(client, make_run, monkeypatch):
    run = make_run(epochs=0, n=40, layers=["input", "logits"])
    made = run.coordinates

    def with_gaps(epoch):
        points = made(epoch)
        points[0, 1] = np.nan
        points[1, 1] = [3.0, np.nan]
        return points

    monkeypatch.setattr(run, "coordinates", with_gaps)
    run.write_projection(0)
    frame = client.get(f"/data/runs/{run.path.name}/frames/umap/0").data
    values = body(frame, "<i2").reshape(2, 2, 40)
    assert (values[0] == MISSING).all()
    assert (values[1, 0] == 0).all()
    assert (values[1, 1] == MISSING).all()
    assert header_of(frame)["extents"] == [[0, 0, 0, 0], [3, 3, 0, 0]]


def test_the_sample_travels(client, make_run):
    run = make_run(epochs=0, n=101)
    block = client.get(f"/data/runs/{run.path.name}/sample").data
    labels = np.frombuffer(block, "<i2", 101, 4 + int.from_bytes(block[:4], "little"))
    np.testing.assert_array_equal(labels, run.labels)
    np.testing.assert_array_equal(np.frombuffer(block[-101:], np.int8), run.split)
    one = client.get(f"/data/runs/{run.path.name}/sample/100").json
    assert (one["id"], one["split"], one["label"]) == ("package-0100", "excluded", -1)
    assert set(one["tabular"]) == {"size", "depends"}
    assert client.get(f"/data/runs/{run.path.name}/sample/101").status_code == 404


def test_the_manifest_tells_epochs_and_boxes(client, make_run):
    run = make_run(epochs=3)
    manifest = client.get(f"/data/runs/{run.path.name}/manifest").json
    assert manifest["artifacts"]["projection"]["epochs"] == [0, 1, 2, 3]
    assert manifest["metrics"]["epochs"] == [0, 1, 2, 3]
    every = np.stack([run.coordinates(epoch)[:, 0] for epoch in range(4)])
    for layer, name in enumerate(run.layers):
        limits = [f(every[:, layer, :, axis]) for axis in (0, 1) for f in (np.min, np.max)]
        np.testing.assert_allclose(manifest["extents"]["pca"][name], limits, rtol=1e-6)


def test_an_unchanged_manifest_is_not_sent_again_and_a_grown_one_is(client, make_run):
    run = make_run(epochs=1)
    url = f"/data/runs/{run.path.name}/manifest"
    tag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    run.write_epoch(2)
    answer = client.get(url, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.json["artifacts"]["projection"]["epochs"] == [0, 1, 2]


def test_a_rewritten_epoch_has_another_version(client, make_run):
    run = make_run(epochs=1)
    url = f"/data/runs/{run.path.name}/manifest"
    before = client.get(url).json["artifacts"]["projection"]["versions"]
    run.write_projection(1)
    after = client.get(url).json["artifacts"]["projection"]["versions"]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_states_errors_and_progress_are_told(client, make_run):
    run = make_run(epochs=1, state="running")
    write_error(run.path, "landscape", 1, RuntimeError("no <b>room</b>"), "Traceback …")
    url = f"/data/runs/{run.path.name}/manifest"
    manifest = client.get(url).json
    assert manifest["state"] == "running"
    assert manifest["progress"] == {"epoch": 1, "step": 50, "steps_per_epoch": 50}
    assert manifest["errors"]["count"] == 1
    assert manifest["errors"]["last"][0]["message"] == "no <b>room</b>"
    write_error(run.path, "landscape", None, RuntimeError("of all"), "")
    errors = client.get(url).json["errors"]
    assert [(e["epoch"], e["message"]) for e in errors["last"]] == [(1, "no <b>room</b>"), (None, "of all")]
    assert (errors["count"], errors["kinds"]["landscape"]["epochs"]) == (2, [1])
    run.say("running", pid=2**22 + 1, pid_start="0")
    assert client.get(url).json["state"] == "killed"


def test_the_list_of_runs_has_states_and_best_accuracy_newest_first(client, make_run, runs_dir):
    assert client.get("/data/runs").json["runs"] == []
    make_run("20260101_120000", epochs=2)
    make_run("20260102_120000", epochs=0, state="failed")
    broken = make_run("20260103_120000", epochs=0)
    (broken.path / "run.json").write_text("{")
    (runs_dir / "not_a_run").mkdir()
    found = client.get("/data/runs").json["runs"]
    assert [(run["name"], run["state"]) for run in found] == [
        ("20260103_120000", "damaged"),
        ("20260102_120000", "failed"),
        ("20260101_120000", "finished"),
    ]
    assert found[2]["best"] == pytest.approx(0.05 + 0.67 * (1 - np.exp(-0.5)) - 0.001)


def test_an_infinite_loss_is_valid_json(client, make_run):
    run = make_run(epochs=0)
    run.rows.append({"epoch": 1, "step": 50, "val_loss": float("inf")})
    run.write_epoch(2)
    text = client.get(f"/data/runs/{run.path.name}/metrics").get_data(as_text=True)

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    rows = json.loads(text, parse_constant=refuse)
    assert rows[1]["val_loss"] is None


def test_a_damaged_artifact_is_named_as_damaged(client, make_run):
    run = make_run(epochs=1)
    path = artifact_path(run.path, "projection", 1)
    with h5py.File(path) as file:
        chunk = file["coordinates"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    write_bytes(path, content)
    answer = client.get(f"/data/runs/{run.path.name}/frames/pca/1")
    assert answer.status_code == 422
    assert answer.json["problem"] == "damaged"
    assert "epoch_000001.h5" in answer.json["message"]
    assert client.get(f"/data/runs/{run.path.name}/frames/pca/0").status_code == 200
    assert client.get(f"/data/runs/{run.path.name}/manifest").status_code == 200


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_files_that_are_no_sample_are_named(client, make_run, content):
    run = make_run(epochs=0)
    (run.path / "sample.h5").write_bytes(content)
    answer = client.get(f"/data/runs/{run.path.name}/sample")
    assert answer.status_code == 422
    assert "sample.h5" in answer.json["message"]


def test_another_kinds_dataset_is_no_projection(client, make_run):
    run = make_run(epochs=0)
    path = artifact_path(run.path, "projection", 0)
    write_bytes(path, (run.path / "sample.h5").read_bytes())
    answer = client.get(f"/data/runs/{run.path.name}/frames/pca/0")
    assert answer.status_code == 422
    assert "not a projection" in answer.json["message"]


def test_a_damaged_metrics_table_is_told_and_nothing_crashes(client, make_run):
    run = make_run(epochs=1)
    (run.path / "metrics.csv").write_text("epoch,val_loss\nzero,1\n")
    manifest = client.get(f"/data/runs/{run.path.name}/manifest").json
    assert any("metrics.csv" in problem for problem in manifest["problems"])
    assert client.get(f"/data/runs/{run.path.name}/metrics").status_code == 422


# --- what must not work ---


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../runs",
        "%2e%2e",
        "..%2f..%2fetc",
        "%2fetc",
        "....//",
        "20260101_120000/..",
        "nope",
        "",
        "%00",
        "a" * 5000,
    ],
)
@pytest.mark.parametrize("what", ["manifest", "metrics", "sample", "sample/0", "frames/pca/0"])
def test_only_runs_that_exist_can_be_asked_for(client, make_run, name, what, runs_dir):
    make_run(epochs=0, n=40)
    (runs_dir.parent / "run.json").write_text('{"state": "finished"}')
    assert client.get(f"/data/runs/{name}/{what}").status_code == 404


@pytest.mark.parametrize("path", ["frames/pca/7", "frames/tsne/0", "frames/..%2f/0", "frames/pca/-1", "frames/pca/0x0"])
def test_only_epochs_and_methods_that_exist_can_be_asked_for(client, make_run, path):
    run = make_run(epochs=0, n=40)
    assert client.get(f"/data/runs/{run.path.name}/{path}").status_code == 404


def test_links_out_of_the_folder_are_not_followed(client, make_run, runs_dir, tmp_path):
    run = make_run(epochs=1, n=40)
    outside = tmp_path / "outside"
    os.rename(run.path, outside)
    os.symlink(outside, run.path)
    assert client.get("/data/runs").json["runs"] == []
    assert client.get(f"/data/runs/{run.path.name}/manifest").status_code == 404


@pytest.mark.parametrize("link", ["artifacts", "artifacts/projection", "artifacts/projection/epoch_000000.h5"])
def test_linked_artifacts_from_outside_are_not_shown(client, make_run, tmp_path, link):
    run = make_run(epochs=0, n=40)
    inside, outside = run.path / link, tmp_path / "elsewhere"
    os.rename(inside, outside)
    os.symlink(outside, inside)
    assert client.get(f"/data/runs/{run.path.name}/frames/pca/0").status_code == 404
    found = client.get(f"/data/runs/{run.path.name}/manifest").json["artifacts"]
    assert found.get("projection", {"epochs": []})["epochs"] == []


@pytest.mark.parametrize(
    ("file", "what"), [("sample.h5", "sample"), ("metrics.csv", "metrics"), ("run.json", "manifest")]
)
def test_linked_files_from_outside_are_not_shown(client, make_run, tmp_path, file, what):
    run = make_run(epochs=0, n=40)
    os.rename(run.path / file, tmp_path / file)
    os.symlink(tmp_path / file, run.path / file)
    assert client.get(f"/data/runs/{run.path.name}/{what}").status_code == 404


def test_a_link_to_a_run_in_the_same_folder_is_fine(client, make_run, runs_dir):
    run = make_run(epochs=0, n=40)
    os.symlink(run.path, runs_dir / "best")
    assert client.get("/data/runs/best/manifest").status_code == 200


def test_the_cache_follows_the_file(client, make_run):
    run = make_run(epochs=0)
    url = f"/data/runs/{run.path.name}/frames/pca/0"
    before = client.get(url).data
    run.noise += 1
    run.write_projection(0)
    assert client.get(url).data != before


def test_a_run_of_many_epochs_is_looked_into_step_by_step_and_then_polls_fast(client, make_run):
    run = make_run(epochs=60, n=300)
    url = f"/data/runs/{run.path.name}/manifest"
    tag, same, deadline = None, 0, time.monotonic() + 60
    while same < 20:  # a second in which nothing more was found
        assert time.monotonic() < deadline
        answer = client.get(url, headers={"If-None-Match": tag} if tag else {})
        tag, same = answer.headers["ETag"], same + 1 if answer.status_code == 304 else 0
        time.sleep(0.05)
    started = time.perf_counter()
    for _ in range(5):
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert (time.perf_counter() - started) / 5 < 0.1
