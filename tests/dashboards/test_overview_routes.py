"""What the overview draws: learning curves of the table, and matrix, classes and calibration of the epoch."""

import base64

import numpy as np
import pytest

from repviz.atomic import write_bytes
from repviz.dashboards.app import create_app
from repviz.figures.metrics import PANELS
from repviz.store.artifacts import artifact_path
from repviz.store.results_table import write_result
from repviz.theme import DARK


@pytest.fixture
def client(runs_dir):
    return create_app(runs_dir).server.test_client()


@pytest.fixture
def ask(client):
    return lambda run, what: client.get(f"/data/runs/{run.path.name}/{what}")


def unpacked(packed):
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


def n_traces(answer):
    return [len(answer.json[name]["data"]) for name in PANELS]


def test_curves_are_drawn_from_the_table(ask, make_run):
    run = make_run(epochs=5)
    figures = ask(run, "curves?theme=dark&log=1").json
    assert list(figures) == list(PANELS)
    loss = figures["loss"]
    val = next(trace for trace in loss["data"] if trace["name"] == "val")
    assert unpacked(val["x"]) == [0, 1, 2, 3, 4, 5]
    assert unpacked(val["y"]) == pytest.approx([row["val_loss"] for row in run.rows])
    assert loss["layout"]["paper_bgcolor"] == DARK.surface
    assert loss["layout"]["yaxis"]["type"] == "log"
    assert loss["layout"]["uirevision"] == run.path.name
    assert ask(run, "curves?theme=no").json["loss"]["layout"]["yaxis"].get("type") != "log"


def test_the_baseline_is_in_the_curves_once_training_has_ended(ask, make_run):
    run = make_run(epochs=2)
    before = n_traces(ask(run, "curves"))
    write_result(run.path, "logistic_regression", {"val_accuracy": 0.5, "val_f1_macro": 0.4, "val_f1_confidence": 0.6})
    assert [b - a for a, b in zip(before, n_traces(ask(run, "curves")), strict=True)] == [0, 1, 2, 0, 0]


def test_curves_of_no_run_and_of_a_damaged_table_say_why(client, ask, make_run):
    run = make_run(epochs=0, n=40)
    assert client.get("/data/runs/nope/curves").status_code == 404
    (run.path / "metrics.csv").write_text("epoch\nx\n")
    answer = ask(run, "curves")
    assert (answer.status_code, answer.json["problem"]) == (422, "damaged")
    assert run.path.name in answer.json["message"]


def test_matrix_and_classes_are_those_of_the_epoch(ask, make_run):
    run = make_run(epochs=3, n=900, kinds=("projection", "prediction"))
    answer = ask(run, "prediction/3?theme=dark").json
    val = (run.split == 1) & (run.labels >= 0)
    predicted = run.logits(3).argmax(axis=1)
    counts = np.zeros((len(run.classes),) * 2, int)
    np.add.at(counts, (run.labels[val], predicted[val]), 1)
    matrix = answer["confusion"]["figure"]
    np.testing.assert_array_equal(matrix["layout"]["meta"]["classes"], range(len(run.classes)))
    assert matrix["layout"]["paper_bgcolor"] == DARK.surface
    assert len(answer["calibration"]["figure"]["data"]) == 3
    accuracy = (predicted == run.labels)[val].mean()
    said = f"Confusion · epoch 3 · accuracy {accuracy:.1%} of {val.sum()} rows (val points of the sample)"
    assert answer["confusion"]["title"] == said
    assert "epoch 3" in answer["calibration"]["title"]
    lines = answer["classes"]
    assert [line["rows"] for line in lines] == counts.sum(axis=1).tolist()
    assert [line["recall"] for line in lines] == pytest.approx(np.diag(counts) / counts.sum(axis=1))
    assert (answer["n_classes"], [line["name"] for line in lines]) == (len(run.classes), list(run.classes))


def test_a_class_without_rows_has_no_recall(ask, make_run):
    run = make_run(epochs=0, n=40, classes=("a", "b"), kinds=("prediction",))
    run.labels[:] = 0
    run.write_prediction(0)
    assert [line["recall"] is None for line in ask(run, "prediction/0").json["classes"]] == [False, True]


def test_a_prediction_that_is_not_there_or_damaged_says_so(ask, make_run):
    run = make_run(epochs=0, n=40, kinds=("projection", "prediction"))
    assert ask(run, "prediction/7").status_code == 404
    write_bytes(artifact_path(run.path, "prediction", 0), b"nothing")
    answer = ask(run, "prediction/0")
    assert answer.json["problem"] == "damaged"
    assert "epoch_000000.h5" in answer.json["message"]
