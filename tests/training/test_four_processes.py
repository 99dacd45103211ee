"""Four processes, and numbers of rows that they cannot share evenly: every row counts, and none counts twice."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchmetrics.functional as tmf
import xarray as xr
from sklearn.metrics import accuracy_score, f1_score

import repviz
from repviz.cli import main
from repviz.data.batches import BatchOrder
from repviz.data.datamodule import EmbeddingDataModule
from repviz.model.classifier import EmbeddingClassifier
from repviz.store.metrics_table import read_metrics
from tests.training.conftest import weights

ROWS = {"train": 1003, "val": 201, "excl": 31}
LABELED = 13
"""Excluded rows whose class is known."""
PROCESSES = 4
KINDS = ["dynamics", "geometry", "prediction", "similarity"]
TOLERANCE = 2e-6
"""Relative; losses are sums of float32 in another order."""
SETTINGS = [
    *("--model.hidden_dims", "[24, 16]", "--model.dropout", "0", "--model.label_smoothing", "0", "--data.seed", "3"),
    *("--trainer.accelerator", "cpu", "--runtime.torch_threads", "1", "--baseline.enabled", "false"),
    *("--sample.size", "150", "--sample.excluded", "20", "--projection.enabled", "false", "--diagnostics", "inline"),
    *("--dynamics.enabled", "true", "--geometry.enabled", "true", "--similarity.enabled", "true"),
    *("--model.fusion", "none", "--data.use_tabular", "false", "--early_stopping.enabled", "false"),
]


@pytest.fixture(scope="module")
def uneven(packages, tmp_path_factory):
    """Rows of the sample data, in numbers that leave a rest; three in five excluded ones are of no known class."""
    data = np.load(packages)
    arrays = {"classes": data["classes"]}
    for name, n in ROWS.items():
        for key in ("X_excl" if name == "excl" else f"X_{name}_embed", f"y_{name}"):
            arrays[key] = data[key][:n].copy()
    arrays["y_excl"][:LABELED] = np.arange(LABELED) % len(data["classes"])
    arrays["y_excl"][LABELED:] = -1
    path = tmp_path_factory.mktemp("data") / "uneven.npz"
    np.savez(path, **arrays)
    return path


def logits_of(run_dir, epoch: int, inputs: torch.Tensor) -> torch.Tensor:
    path = run_dir / "checkpoints" / f"epoch_{epoch:06d}.ckpt"
    network = EmbeddingClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    with torch.no_grad():
        return network(inputs)


def test_four_processes_count_every_row_once_and_look_as_one_does(start, uneven, tmp_path):
    options = ["--data.path", str(uneven), *SETTINGS, "--trainer.max_epochs", "2"]
    several = ["--trainer.devices", str(PROCESSES), "--trainer.strategy", "ddp"]
    process = start("fit", *options, "--runs-dir", str(tmp_path / "four"), *several)
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    main(["fit", *options, "--runs-dir", str(tmp_path / "one")])
    (four,), (one,) = (tmp_path / "four").iterdir(), (tmp_path / "one").iterdir()
    assert repviz.open_run(four).info()["world_size"] == PROCESSES

    data = EmbeddingDataModule(str(uneven), use_tabular=False, seed=3)
    data.setup("fit")
    rows = {row["epoch"]: row for row in read_metrics(four)}
    for epoch in (0, 1, 2):
        check_evaluation(rows[epoch], four, epoch, data)
    check_training(rows[1], four, data)

    # The untrained network is the same, whoever many train it: so is all that is measured and seen of it.
    assert_same_weights(four, one)
    untrained = {row["epoch"]: row for row in read_metrics(one)}[0]
    for name, value in untrained.items():
        assert rows[0][name] == pytest.approx(value, rel=TOLERANCE), name
    looked, alone = repviz.open_run(four), repviz.open_run(one)
    assert {kind: looked.epochs(kind) for kind in looked.kinds()} == {kind: [0, 1, 2] for kind in KINDS}
    for kind in KINDS:
        xr.testing.assert_allclose(looked.read(kind, 0), alone.read(kind, 0), rtol=1e-5)

    # What was seen of it later is what one process makes of the same checkpoints.
    shutil.copytree(four, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "artifacts")
    main(["diagnose", "--run-dir", str(tmp_path / "again"), "--threads", "1"])
    again = repviz.open_run(tmp_path / "again")
    for kind in KINDS:
        for epoch in (1, 2):
            here, there = looked.read(kind, epoch), again.read(kind, epoch)
            xr.testing.assert_allclose(here, there, rtol=1e-5)
            assert here.attrs.get("previous_epoch") == there.attrs.get("previous_epoch")
    check_dynamics(looked.read("dynamics", 2), four, data)


def assert_same_weights(four, one):
    first, other = weights(four, "epoch_000000.ckpt"), weights(one, "epoch_000000.ckpt")
    assert all(torch.equal(first[name], other[name]) for name in other)


def check_evaluation(row, run_dir, epoch, data):
    """Against scikit-learn and torchmetrics, on the rows as they lie in the file."""
    for prefix, split in (("val", "val"), ("excl", "excluded")):
        labels = data.rows(split).labels
        known = labels >= 0
        assert known.sum() == (LABELED if split == "excluded" else ROWS["val"])
        labels, logits = labels[known], logits_of(run_dir, epoch, data.rows(split).inputs[0][known])
        predicted = logits.argmax(1)
        assert row[f"{prefix}_loss"] == pytest.approx(float(F.cross_entropy(logits, labels)), rel=TOLERANCE)
        assert row[f"{prefix}_accuracy"] == pytest.approx(accuracy_score(labels, predicted), abs=1e-12)
        if prefix == "excl":
            continue
        n_classes = logits.shape[1]
        expected = f1_score(labels, predicted, average="macro")
        assert row["val_f1_macro"] == pytest.approx(expected, abs=1e-9)
        by_torchmetrics = tmf.f1_score(logits, labels, task="multiclass", num_classes=n_classes, average="macro")
        assert row["val_f1_macro"] == pytest.approx(float(by_torchmetrics), abs=1e-6)
        assert row["val_f1_confidence"] == pytest.approx(confidence_f1(logits, labels), rel=1e-6)


def confidence_f1(logits, labels) -> float:
    """Each row counts as its probability: scikit-learn's F1 of one class against the rest, weighted."""
    probability, predicted = logits.double().softmax(1).numpy(), logits.argmax(1).numpy()
    present = np.union1d(labels, predicted)
    scores = {
        c: f1_score(labels == c, predicted == c, sample_weight=probability[:, c], zero_division=0) for c in present
    }
    support = np.bincount(labels, minlength=logits.shape[1])
    return max(np.mean(list(scores.values())), sum(scores[c] * support[c] for c in present) / support.sum())


def check_training(row, run_dir, data):
    """One step is one epoch here, so that all rows of it were seen by the untrained network: each of them once."""
    ranks = [
        BatchOrder(ROWS["train"], 512, shuffle=True, seed=3, rank=rank, world_size=PROCESSES)
        for rank in range(PROCESSES)
    ]
    shares = [order.rows() for order in ranks]
    seen = torch.cat(shares)
    assert len(seen) == len(seen.unique()) == ROWS["train"] // PROCESSES * PROCESSES
    assert row["step"] == 1
    inputs, labels = data.rows("train").inputs[0], data.rows("train").labels
    logits = logits_of(run_dir, 0, inputs)
    assert row["train_loss"] == pytest.approx(float(F.cross_entropy(logits[seen], labels[seen])), rel=TOLERANCE)
    hits = (logits.argmax(1) == labels)[seen]
    assert row["train_accuracy"] == pytest.approx(float(hits.double().mean()), abs=1e-7)


def check_dynamics(dataset, run_dir, data):
    """Every training row once, in the order of the data, also those that a rank's share leaves out."""
    np.testing.assert_array_equal(dataset["row"], np.arange(ROWS["train"]))
    logits, labels = logits_of(run_dir, 2, data.rows("train").inputs[0]), data.rows("train").labels
    expected = F.cross_entropy(logits, labels, reduction="none")
    np.testing.assert_allclose(dataset["train_loss"], expected, rtol=1e-4, atol=1e-6)
