"""What speaks against a picture is said, and only that."""

import numpy as np
import pytest
import xarray as xr

from repviz.exports.findings import findings
from repviz.run import open_run
from repviz.store.artifacts import artifact_path, write_artifact, write_error
from repviz.store.metrics_table import write_metrics
from repviz.store.results_table import write_result


def texts(path):
    return [(f.level, f.kind, f.text) for f in findings(open_run(path))]


@pytest.fixture
def path(grow):
    return grow([0, 1, 2], n=40)


def write(path, kind, variables, **coordinates):
    write_artifact(path, kind, 2, xr.Dataset(variables, coordinates), step=2, version=1)


def test_a_sound_run_says_only_that_it_might_have_gone_on(path):
    assert texts(path) == [
        ("note", "metrics", "The last epoch has the best val_accuracy: with more epochs it might have gone on.")
    ]


def test_each_number_that_speaks_against_its_picture(path):
    layers = np.array(["input", "block1"])
    write(path, "response", {"dead_share": ("layer", [0.1, 0.5])}, layer=layers)
    write(path, "surface", {"agreement": 0.15, "surrogate_agreement": 0.9})
    write(path, "prediction", {"calibration_error": 0.2})
    numbers = {"control_accuracy": ("layer", [0.2, 0.4]), "chance": ("layer", [0.15, 0.15])}
    write(path, "probe", numbers, layer=layers)
    write(path, "landscape", {"finite_share": ("split", [1.0, 0.75])}, split=np.array(["train", "val"]))
    found = "\n".join(f"{kind}: {text}" for _, kind, text in texts(path))
    assert "response: Epoch 2: 50% of the units of block1 are dead" in found
    assert "surface: Epoch 2: only 15% of the points" in found
    assert "surrogate" not in found
    assert "prediction: Epoch 2: confidence and accuracy are 0.20 apart" in found
    assert "probe: Epoch 2: the probe of block1 reads shuffled labels 0.25 above chance" in found
    assert "landscape: Epoch 2: 25% of the val losses are not finite" in found
    assert "input" not in found


def test_a_map_near_chance(path):
    dataset = open_run(path).read("projection", 2)
    trust = dataset["trustworthiness"].copy()
    trust.loc[{"layer": "logits", "method": "pca"}] = 0.6
    write_artifact(path, "projection", 2, dataset.assign(trustworthiness=trust), step=2, version=1)
    warnings = [text for level, _, text in texts(path) if level == "warning"]
    assert warnings == ["Epoch 2: the pca map of logits has trust 0.60, near the 0.51 of a random layout."]


def test_errors_come_first_damage_is_one_and_baseline_and_overfitting_are_told(path):
    write_error(path, "probe", 1, ValueError("one class only"), "")
    artifact_path(path, "projection", 2).write_bytes(b"broken")
    for name, value in (("model_best", 0.5), ("logistic_regression", 0.6)):
        write_result(path, name, {"val_accuracy": value, "val_f1_macro": 0.5, "val_f1_confidence": 0.5})
    losses = [2.0, 1.0, 1.5]
    write_metrics(path, [{"epoch": e, "step": e, "val_loss": v, "val_accuracy": 0.3} for e, v in enumerate(losses)])
    found = texts(path)
    assert [level for level, _, _ in found] == ["error", "error", "warning", "note"]
    assert {kind for level, kind, _ in found if level == "error"} == {"probe", "projection"}
    assert "risen from 1.000 to 1.500" in found[2][2]
    assert "(0.600)" in found[3][2]
