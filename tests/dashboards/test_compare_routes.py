"""Several runs: curves over each other, the same points in each, and how alike their layers are."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from repviz.atomic import write_bytes
from repviz.dashboards.app import create_app
from repviz.dashboards.frames import MISSING, header_of
from repviz.store.artifacts import artifact_path, write_artifact
from repviz.store.metrics_table import read_metrics
from repviz.store.sample_file import read_sample, write_sample

ONE, OTHER = "20260101_000000", "20260102_000000"


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


@pytest.fixture
def two(make_run):
    return [make_run(name, epochs=2, n=40) for name in (ONE, OTHER)]


def rename(run, ids):
    write_sample(run.path, read_sample(run.path).assign(id=("sample", np.array(ids))))


def keep(run, epoch, **layers):
    variables = {name: (("sample", f"unit_{name}"), v.astype(np.float32)) for name, v in layers.items()}
    variables["logits"] = ("sample", "class"), np.zeros((run.n, 2), np.float32)
    attributes = {"layers": " ".join(["input", *layers, "penultimate"]), "aliases": "penultimate=block1"}
    write_artifact(run.path, "activations", epoch, xr.Dataset(variables, attrs=attributes), step=0, version=1)


def points(block):
    header = header_of(block)
    values = np.frombuffer(block, "<i2", offset=4 + int.from_bytes(block[:4], "little"))
    return header, values.reshape(len(header["layers"]), 2, header["n"])


def test_curves_of_several_runs(client, make_run):
    for name in ("20260101_000000", "20260102_000000"):
        make_run(name, epochs=2, n=40)
    answer = client.get("/data/compare?runs=20260102_000000,20260101_000000&log=1").json
    assert [t["name"] for t in answer["figure"]["data"][::6]] == ["20260102_000000", "20260101_000000"]
    assert answer["title"] == "Learning curves of 2 runs"


def test_what_is_compared_as_numbers(client, two):
    table = pd.read_csv(io.BytesIO(client.get(f"/data/compare/numbers?runs={ONE},{OTHER}").data))
    for run in two:
        own = table[table["run"] == run.path.name]
        expected = pd.DataFrame(read_metrics(run.path))
        pd.testing.assert_frame_equal(own[expected.columns].reset_index(drop=True), expected, check_dtype=False)
    assert client.get(f"/data/compare/numbers/similarity/1?runs={ONE},{OTHER}").status_code == 404  # nothing is kept
    points = np.random.default_rng(0).normal(size=(40, 5))
    for run in two:
        keep(run, 1, block1=points)
    answer = client.get(f"/data/compare/numbers/similarity/1?runs={ONE},{OTHER}")
    table = pd.read_csv(io.BytesIO(answer.data))
    assert (table["run"] == ONE).all()
    assert (table["run_other"] == OTHER).all()
    same = table[(table["layer"] == "block1") & (table["layer_other"] == "block1")]
    np.testing.assert_allclose(same["cka"], 1)


@pytest.mark.parametrize("runs", ["", "../etc", "20260101_000000,nope", ",".join(f"r{i}" for i in range(30))])
def test_runs_that_are_not_there_are_404(client, make_run, runs):
    make_run("20260101_000000", epochs=0, n=40)
    assert client.get(f"/data/compare?runs={runs}").status_code == 404
    assert client.get(f"/data/table?runs={runs}").status_code == 404


def test_a_map_of_another_run_has_the_points_of_the_first_by_id(client, two):
    rename(two[1], [f"package-{k:04d}" for k in range(45, 5, -1)])
    header, whole = points(client.get(f"/data/runs/{OTHER}/frames/pca/2").data)
    own, joined = points(client.get(f"/data/runs/{OTHER}/frames/pca/2/points-of/{ONE}").data)
    assert (own["n"], own["common"], own["extents"]) == (40, 34, header["extents"])
    np.testing.assert_array_equal(joined[..., 6:], whole[..., [45 - k for k in range(6, 40)]])
    assert (joined[..., :6] == MISSING).all()
    for path in (f"{OTHER}/frames/pca/2/points-of/nope", f"nope/frames/pca/2/points-of/{ONE}"):
        assert client.get(f"/data/runs/{path}").status_code == 404


def test_cka_is_between_the_same_points_at_the_nearest_epoch_that_either_has_kept(client, two):
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rename(two[1], [f"package-{k:04d}" for k in range(39, -1, -1)])
    keep(two[0], 0, block1=noise)
    keep(two[0], 2, block1=signal, block2=noise)
    keep(two[1], 1, block1=(5 * signal @ turn + 1)[::-1])
    answer = client.get(f"/data/compare/similarity/2?runs={ONE},{OTHER}").json
    (trace,) = answer["figure"]["data"]
    assert (trace["y"], trace["x"]) == (["block1", "block2", "penultimate"], ["block1", "penultimate"])
    assert answer["lacking"] == answer["problems"] == []
    assert "40 points" in answer["subtitle"]
    assert "epoch 1" in answer["figure"]["layout"]["annotations"][0]["text"]
    found = decoded(trace["z"])
    np.testing.assert_allclose(found[[0, 2]], 1, atol=1e-5)
    assert np.abs(found[1]).max() < 0.5
    before = client.get(f"/data/compare/similarity/1?runs={ONE},{OTHER}").json
    assert np.abs(decoded(before["figure"]["data"][0]["z"])).max() < 0.5  # noise, and the first epoch that is there
    assert client.get(f"/data/compare/similarity/1?runs={ONE},nope").status_code == 404


def test_runs_without_activations_and_damaged_ones_are_named(client, two, make_run):
    third = make_run("20260103_000000", epochs=0, n=40)
    rng = np.random.default_rng(0)
    url = f"/data/compare/similarity/2?runs={ONE},{OTHER},{third.path.name}"
    keep(two[1], 0, block1=rng.normal(size=(40, 3)))
    assert client.get(url).json["lacking"] == [ONE, third.path.name]
    assert client.get(url).json["figure"] is None
    keep(two[0], 0, block1=rng.normal(size=(40, 3)))
    answer = client.get(url).json
    assert (answer["lacking"], len(answer["figure"]["data"])) == ([third.path.name], 1)
    write_bytes(artifact_path(two[1].path, "activations", 0), b"x" * 100)
    answer = client.get(url).json
    assert answer["figure"] is None
    assert answer["problems"][0].startswith(OTHER)
    assert "cannot be read" in answer["problems"][0]


def test_runs_of_other_points_are_not_compared(client, two):
    rename(two[1], [f"other-{k}" for k in range(40)])
    for run in two:
        keep(run, 0, block1=np.random.default_rng(0).normal(size=(40, 3)))
    answer = client.get(f"/data/compare/similarity/0?runs={ONE},{OTHER}").json
    assert answer["figure"] is None
    assert answer["problems"] == [f"{OTHER} has 0 points in common with {ONE}; CKA needs 4"]


def decoded(values):
    """What plotly has made of an array."""
    array = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return array.reshape([int(n) for n in values["shape"].split(",")])
