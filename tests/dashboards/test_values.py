"""Numbers of single points as the page gets them, against the artifacts that they come from."""

import time

import numpy as np
import pytest
import xarray as xr

from repviz.atomic import write_bytes
from repviz.dashboards.app import create_app
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.frames import header_of
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.value_routes import MOST_ROWS
from repviz.store.artifacts import artifact_path, write_artifact
from repviz.store.results_table import write_result
from repviz.store.sample_file import read_sample, write_sample

BOTH = ("projection", "prediction")


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


def values(block: bytes) -> dict[str, np.ndarray]:
    header = header_of(block)
    content = np.frombuffer(block[4 + int.from_bytes(block[:4], "little") :], "<f4").reshape(-1, header["n"])
    return dict(zip([value["name"] for value in header["values"]], content, strict=True))


def test_the_values_of_an_epoch_are_the_artifacts(client, make_run):
    run = make_run(epochs=3, n=200, kinds=BOTH)
    block = client.get(f"/data/runs/{run.path.name}/values/prediction/3").data
    found = values(block)
    logits = run.logits(3).astype(np.float64)
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    known = run.labels >= 0
    np.testing.assert_array_equal(found["predicted"], logits.argmax(axis=1))
    np.testing.assert_allclose(found["confidence"], share.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found["loss"][known], -np.log(share[known, run.labels[known]]), rtol=1e-4)
    assert np.isnan(found["loss"][~known]).all()
    np.testing.assert_array_equal(found["correct"][known], (logits.argmax(axis=1) == run.labels)[known])
    assert (header_of(block)["epoch"], header_of(block)["n"]) == (3, 200)
    other = values(client.get(f"/data/runs/{run.path.name}/values/prediction/0").data)
    assert not np.array_equal(other["confidence"], found["confidence"])


def test_what_the_newest_artifact_knows_is_kept_of_no_other(runs_dir, make_run):
    """A page that watches for days makes the server no larger with every epoch."""
    catalog = Catalog(runs_dir)
    manifests, run = Manifests(catalog, FileCache(10_000_000)), make_run(epochs=0, n=30, kinds=BOTH)
    for epoch in range(1, 5):
        run.write_epoch(epoch)
        assert manifests.of_run(catalog.find(run.path.name))["values"]["prediction"]
    assert len(manifests._listed) == len(BOTH)


def test_what_another_artifact_knows_is_listed_without_that_a_poll_waits_for_it(runs_dir, make_run):
    catalog = Catalog(runs_dir)
    manifests, run = Manifests(catalog, FileCache(10_000_000)), make_run(epochs=0, n=30)

    def listed():
        return [value["name"] for value in manifests.of_run(catalog.find(run.path.name))["values"].get("mine", [])]

    for epoch, name in enumerate(("age", "size")):
        write_artifact(run.path, "mine", epoch, xr.Dataset({name: ("sample", np.arange(30.0))}), step=50, version=1)
        if epoch == 0:
            assert listed() == ["age"]
    deadline = time.monotonic() + 30
    while listed() != ["size"]:
        assert listed() in (["age"], ["size"])
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_any_kind_that_knows_something_of_every_point_is_listed_with_its_units(client, make_run):
    run = make_run(epochs=1, n=30, kinds=BOTH)
    age = np.arange(30, dtype=np.int32)
    dataset = xr.Dataset(
        {
            "age": ("sample", age, {"long_name": "age of the package", "units": "years"}),
            "word": ("sample", np.array(["x"] * 30)),
            "label": ("sample", age),
            "per_layer": (("layer", "sample"), np.zeros((2, 30))),
        }
    )
    write_artifact(run.path, "someone_elses", 1, dataset, step=50, version=1)
    manifest = client.get(f"/data/runs/{run.path.name}/manifest").json
    assert manifest["values"]["someone_elses"] == [{"name": "age", "title": "age of the package", "units": "years"}]
    assert {value["name"] for value in manifest["values"]["prediction"]} == {
        "predicted",
        "confidence",
        "loss",
        "correct",
    }
    assert "projection" not in manifest["values"]
    found = values(client.get(f"/data/runs/{run.path.name}/values/someone_elses/1").data)
    np.testing.assert_array_equal(found["age"], age)


def test_a_damaged_prediction_is_named_and_does_not_hurt_the_manifest(client, make_run):
    run = make_run(epochs=0, n=40, kinds=BOTH)
    write_bytes(artifact_path(run.path, "prediction", 0), b"\x89HDF\r\n\x1a\n" + bytes(600))
    answer = client.get(f"/data/runs/{run.path.name}/values/prediction/0")
    assert answer.status_code == 422
    assert "epoch_000000.h5" in answer.json["message"]
    assert client.get(f"/data/runs/{run.path.name}/manifest").json["values"] == {}


def test_the_tabular_columns_travel(client, make_run):
    run = make_run(epochs=0, n=50)
    found = values(client.get(f"/data/runs/{run.path.name}/columns").data)
    one = client.get(f"/data/runs/{run.path.name}/sample/17").json["tabular"]
    assert {name: float(column[17]) for name, column in found.items()} == one
    assert header_of(client.get(f"/data/runs/{run.path.name}/sample").data)["columns"] == ["size", "depends"]


def test_ids_and_texts_come_in_the_order_asked_for(client, make_run):
    run = make_run(epochs=0, n=50)
    found = client.get(f"/data/runs/{run.path.name}/rows/7,0,49").json
    assert [(entry["row"], entry["id"]) for entry in found] == [
        (7, "package-0007"),
        (0, "package-0000"),
        (49, "package-0049"),
    ]
    assert found[1]["text"].startswith("<img src=x")  # data as it is; the page shows it as text
    assert client.get(f"/data/runs/{run.path.name}/rows/50").status_code == 404


@pytest.mark.parametrize("rows", ["", "x", "-1", "1,,2", "1;2", "9" * 30, "\u0663", ",".join(["1"] * (MOST_ROWS + 1))])
def test_rows_that_are_none_are_refused(client, make_run, rows):
    run = make_run(epochs=0, n=50)
    assert client.get(f"/data/runs/{run.path.name}/rows/{rows}").status_code == 404


def test_search_looks_into_ids_and_texts_whatever_the_case(client, make_run):
    run = make_run(epochs=0, n=50)

    def found(text):
        answer = client.get(f"/data/runs/{run.path.name}/search", query_string={"text": text})
        return np.frombuffer(answer.data, "<i4").tolist()

    assert found("PACKAGE-001") == list(range(10, 20))
    assert found("OnError=") == [0]
    assert found("no such thing") == []
    assert found("") == list(range(50))


def test_neighbours_are_those_of_the_layers_own_space(client, make_run):
    run = make_run(epochs=1, n=40, layers=("input", "logits"))
    answer = client.get(f"/data/runs/{run.path.name}/neighbors/1/38").json
    assert answer["layers"] == {"input": [39, 0, 1, 2], "logits": [0, 1, 2, 3]}
    assert client.get(f"/data/runs/{run.path.name}/neighbors/1/40").status_code == 404
    assert client.get(f"/data/runs/{run.path.name}/neighbors/2/0").status_code == 404


def test_a_projection_without_neighbours_says_so(client, make_run):
    run = make_run(epochs=0, n=20)
    write_artifact(run.path, "projection", 1, xr.Dataset({"x": ("sample", np.zeros(20))}), step=50, version=1)
    answer = client.get(f"/data/runs/{run.path.name}/neighbors/1/0")
    assert answer.status_code == 404
    assert "no neighbors" in answer.json["message"]


def test_the_baseline_is_told_as_soon_as_it_is_there(client, make_run):
    run = make_run(epochs=1, n=40)
    url = f"/data/runs/{run.path.name}/manifest"
    before = client.get(url)
    assert before.json["baseline"] is None
    numbers = {"val_accuracy": 0.5, "val_f1_macro": 0.4, "val_f1_confidence": 0.6}
    write_result(run.path, "logistic_regression", numbers)
    after = client.get(url, headers={"If-None-Match": before.headers["ETag"]})
    assert after.json["baseline"] == numbers
    (run.path / "results.csv").write_text("name,val_accuracy\nlogistic_regression,x\n")
    assert any("results.csv" in problem for problem in client.get(url).json["problems"])


@pytest.mark.parametrize("what", ["columns", "rows/0", "search?text=a", "values/prediction/0", "neighbors/0/0"])
def test_only_runs_that_exist_can_be_asked_for(client, make_run, what):
    make_run(epochs=0, n=20, kinds=BOTH)
    for name in ("..", "nope", "%2e%2e"):
        assert client.get(f"/data/runs/{name}/{what}").status_code == 404


@pytest.mark.parametrize(
    "path", ["values/..%2f/0", "values/landscape/0", "values/prediction/7", "values/prediction/-1"]
)
def test_only_kinds_and_epochs_that_exist_can_be_asked_for(client, make_run, path):
    run = make_run(epochs=0, n=20, kinds=BOTH)
    assert client.get(f"/data/runs/{run.path.name}/{path}").status_code == 404


def test_rows_have_places_in_the_alphabet(client, make_run):
    run = make_run(epochs=0, n=5)
    texts = ["beta", "Alpha", "émile", "alpha", ""]
    write_sample(run.path, read_sample(run.path).assign(text=("sample", np.array(texts))))
    address = f"/data/runs/{run.path.name}/ranks"
    assert np.frombuffer(client.get(f"{address}/text").data, "<i4").tolist() == [2, 1, 3, 1, 0]
    assert np.frombuffer(client.get(f"{address}/id").data, "<i4").tolist() == [0, 1, 2, 3, 4]
    assert client.get(f"{address}/label").status_code == 404
