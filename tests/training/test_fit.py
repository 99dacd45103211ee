"""A run from the command line: what is in its folder, and that it can be stopped and gone on with."""

import json
import time

import numpy as np
import pytest
import torch
import yaml

import repviz
from repviz.cli import main
from repviz.store.metrics_table import read_metrics
from tests.training.conftest import SMALL, same_weights, weights


def test_the_run_folder_holds_what_the_contract_says(fit, packages):
    run_dir = fit("--trainer.max_epochs", "2")
    found = {str(p.relative_to(run_dir)) for p in run_dir.rglob("*") if p.is_file()}
    assert found == {
        "config.yaml",
        "run.json",
        "metrics.csv",
        "results.csv",
        "sample.h5",
        *(f"checkpoints/{name}.ckpt" for name in ("epoch_000000", "epoch_000001", "epoch_000002", "last", "best")),
    }
    run = repviz.open_run(run_dir)
    info = run.info()
    assert info["state"] == "finished"
    assert info["data"]["path"] == str(packages)
    assert info["layers"] == ["input", "block1", "block2", "penultimate", "logits"]
    table = run.metrics()
    assert list(table.epoch) == [0, 1, 2]
    assert list(table.step) == [0, 7, 14]
    assert table.train_loss.isna().tolist() == [True, False, False]
    assert table.drop(columns=["train_loss", "train_accuracy", "lr", "grad_norm"]).notna().all(axis=None)
    assert table.val_accuracy.iloc[2] > table.val_accuracy.iloc[0]


def test_the_sample_is_stratified_and_names_its_rows(fit, packages):
    run_dir = fit("--trainer.max_epochs", "1", "--sample.size", "500", "--sample.excluded", "50")
    sample = repviz.open_run(run_dir).sample()
    data = np.load(packages)
    assert np.bincount(sample.split).tolist() == [400, 100, 50]
    for code, name in enumerate(("train", "val", "excl")):
        rows = sample.index.values[sample.split.values == code]
        np.testing.assert_array_equal(sample.id.values[sample.split.values == code], data[f"id_{name}"][rows])
        np.testing.assert_array_equal(sample.label.values[sample.split.values == code], data[f"y_{name}"][rows])
        np.testing.assert_array_equal(
            sample.tabular.values[sample.split.values == code], data[f"financial_{name}"][rows]
        )
        np.testing.assert_array_equal(sample.text.values[sample.split.values == code], data[f"text_{name}"][rows])
    shares = np.bincount(sample.label.values[sample.split.values == 0], minlength=20) / 400
    np.testing.assert_allclose(shares, np.bincount(data["y_train"], minlength=20) / 3200, atol=1 / 400)


def test_the_written_config_repeats_the_run_bit_for_bit(fit, tmp_path):
    first = fit("--trainer.max_epochs", "2")
    config = yaml.safe_load((first / "config.yaml").read_text())
    assert config["model"]["hidden_dims"] == [32, 16]
    main(["fit", "--config", str(first / "config.yaml"), "--runs-dir", str(tmp_path / "again")])
    (second,) = (tmp_path / "again").iterdir()
    assert same_weights(weights(first), weights(second))
    assert (first / "metrics.csv").read_text() == (second / "metrics.csv").read_text()


def test_metrics_are_those_of_the_checkpoint_measured_apart(fit, packages, tmp_path):
    from sklearn.metrics import accuracy_score, f1_score

    run_dir = fit("--trainer.max_epochs", "2")
    out = tmp_path / "predictions.npz"
    main(["predict", "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt"), "--out", str(out)])
    predicted, data = np.load(out), np.load(packages)
    np.testing.assert_array_equal(predicted["id"], data["id_val"])
    np.testing.assert_allclose(predicted["probability"].sum(1), 1, rtol=1e-5)
    row = read_metrics(run_dir)[-1]
    assert row["val_accuracy"] == pytest.approx(accuracy_score(data["y_val"], predicted["label"]))
    assert row["val_f1_macro"] == pytest.approx(f1_score(data["y_val"], predicted["label"], average="macro"))
    own = predicted["probability"][np.arange(800), data["y_val"]]
    assert row["val_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-5)


def test_predicting_a_few_new_rows_uses_the_scaling_of_training(fit, packages, tmp_path):
    run_dir = fit("--trainer.max_epochs", "1")
    data = np.load(packages)
    best = ["--ckpt-path", str(run_dir / "checkpoints" / "best.ckpt")]
    main(["predict", *best, "--out", str(tmp_path / "all.npz")])
    new = tmp_path / "new.npz"
    np.savez(new, X_embed=data["X_val_embed"][5:8], financial=data["financial_val"][5:8])
    main(["predict", *best, "--data.path", str(new), "--out", str(tmp_path / "few.npz")])
    whole, few = np.load(tmp_path / "all.npz"), np.load(tmp_path / "few.npz")
    np.testing.assert_allclose(few["probability"], whole["probability"][5:8], rtol=1e-4)
    main(["predict", *best, "--data.path", str(new), "--out", str(tmp_path / "few.csv")])
    lines = (tmp_path / "few.csv").read_text().splitlines()
    assert lines[0].startswith("id,label,admin,database")
    assert len(lines) == 4


def test_what_the_network_ignores_need_not_be_there_to_predict(fit, packages, tmp_path):
    run_dir = fit("--trainer.max_epochs", "1", "--model.fusion", "none")
    with np.load(packages) as data:
        np.savez(tmp_path / "new.npz", X_embed=data["X_val_embed"][:5])
    out = tmp_path / "out.csv"
    best = str(run_dir / "checkpoints" / "best.ckpt")
    main(["predict", "--ckpt-path", best, "--data.path", str(tmp_path / "new.npz"), "--out", str(out)])
    assert len(out.read_text().splitlines()) == 6


def test_a_killed_run_goes_on_as_if_it_had_not_stopped(fit, start, packages, tmp_path):
    whole = fit("--trainer.max_epochs", "6")
    settings = ["--data.path", str(packages), *SMALL, "--trainer.max_epochs", "6"]
    process = start("fit", "--runs-dir", str(tmp_path / "killed"), *settings)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("*/checkpoints/epoch_000003.ckpt")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    (run_dir,) = (tmp_path / "killed").iterdir()
    assert repviz.open_run(run_dir).info()["state"] == "killed"
    for checkpoint in (run_dir / "checkpoints").glob("*.ckpt"):
        weights(run_dir, checkpoint.name)
    last = str(run_dir / "checkpoints" / "last.ckpt")
    main(["fit", "--config", str(run_dir / "config.yaml"), "--ckpt-path", last])
    assert list((tmp_path / "killed").iterdir()) == [run_dir]
    assert repviz.open_run(run_dir).info()["state"] == "finished"
    assert (run_dir / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert same_weights(weights(run_dir), weights(whole))


def test_from_an_earlier_checkpoint_a_new_run_branches_off(fit, tmp_path):
    run_dir = fit("--trainer.max_epochs", "3")
    before = {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")}
    branch = fit("--trainer.max_epochs", "3", "--ckpt-path", str(run_dir / "checkpoints" / "epoch_000001.ckpt"))
    assert {p: p.stat().st_mtime_ns for p in run_dir.rglob("*")} == before
    assert [row["epoch"] for row in read_metrics(branch)] == [0, 1, 2, 3]
    assert json.loads((branch / "run.json").read_text())["continued_from"].endswith("epoch_000001.ckpt")
    assert same_weights(weights(branch), weights(run_dir))


def test_a_run_that_is_still_trained_is_not_gone_on_with(fit, packages, capsys):
    run_dir = fit("--trainer.max_epochs", "1")
    content = json.loads((run_dir / "run.json").read_text())
    (run_dir / "run.json").write_text(json.dumps(content | {"state": "running"}))
    last = str(run_dir / "checkpoints" / "last.ckpt")
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--config", str(run_dir / "config.yaml"), "--ckpt-path", last])
    assert ended.value.code == 2
    assert "still being trained" in capsys.readouterr().err


def test_as_many_checkpoints_stay_as_asked(fit):
    run_dir = fit("--trainer.max_epochs", "6", "--keep-checkpoints", "2", "--checkpoint-every-n-epochs", "2")
    names = sorted(p.name for p in (run_dir / "checkpoints").iterdir())
    assert names == ["best.ckpt", "epoch_000004.ckpt", "epoch_000006.ckpt", "last.ckpt"]
    assert same_weights(weights(run_dir, "last.ckpt"), weights(run_dir, "epoch_000006.ckpt"))


def test_training_ends_early_when_nothing_improves(fit):
    run_dir = fit("--trainer.max_epochs", "30", "--model.lr", "1e-12", "--early-stopping.patience", "2")
    assert len(read_metrics(run_dir)) <= 5
    assert repviz.open_run(run_dir).info()["state"] == "finished"


def test_early_stopping_follows_its_own_metric_in_its_own_direction(fit):
    falling = ["--early-stopping.monitor", "val_loss", "--early-stopping.mode", "min", "--early-stopping.patience", "1"]
    losses = [row["val_loss"] for row in read_metrics(fit("--trainer.max_epochs", "4", *falling))]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(("mode", "first"), [("min", min), ("max", max)])
def test_best_is_the_epoch_with_the_best_metric(fit, mode, first):
    run_dir = fit("--trainer.max_epochs", "4", "--model.lr", "0.05", "--monitor", "val_loss", "--monitor-mode", mode)
    rows = read_metrics(run_dir)[1:]
    best = first(rows, key=lambda row: row["val_loss"])["epoch"]
    assert same_weights(weights(run_dir, "best.ckpt"), weights(run_dir, f"epoch_{best:06d}.ckpt"))


def test_streaming_trains_as_memory_does(fit):
    memory = fit("--trainer.max_epochs", "1")
    stream = fit("--trainer.max_epochs", "1", "--data.loading", "stream")
    assert same_weights(weights(memory), weights(stream))


@pytest.mark.parametrize(
    "options",
    [
        ["--model.fusion", "film"],
        ["--model.fusion", "none", "--data.use_tabular", "false"],
        ["--model.fusion", "none"],
        ["--model.loss", "focal", "--model.class_weights", "balanced", "--model.label_smoothing", "0.1"],
        ["--model.residual", "true", "--model.activation", "gelu", "--model.layer_norm", "false"],
        ["--model.hidden_dims", "[]", "--model.schedule", "constant"],
        ["--data.standardize", "never", "--trainer.precision", "bf16-mixed"],
    ],
    ids=lambda options: " ".join(options),
)
def test_every_kind_of_model_trains_and_is_measured_again_from_its_checkpoint(fit, options, capsys):
    run_dir = fit("--trainer.max_epochs", "2", *options)
    rows = read_metrics(run_dir)
    assert rows[2]["train_loss"] < rows[1]["train_loss"]
    capsys.readouterr()
    main(["validate", "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("val", "excl")))
    assert float(printed["val_loss"]) == pytest.approx(rows[2]["val_loss"], abs=1e-4)
    assert float(printed["excl_accuracy"]) == pytest.approx(rows[2]["excl_accuracy"], abs=1e-4)


def test_test_rows_are_measured_and_missing_ones_are_one_error(fit, packages, tmp_path, capsys):
    run_dir = fit("--trainer.max_epochs", "1")
    data = np.load(packages)
    held_out = tmp_path / "test.npz"
    np.savez(
        held_out,
        X_test_embed=data["X_val_embed"],
        y_test=data["y_val"],
        financial_test=data["financial_val"],
        classes=data["classes"],
    )
    last = ["--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")]
    main(["test", *last, "--data.path", str(held_out)])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("test_"))
    assert float(printed["test_accuracy"]) == pytest.approx(read_metrics(run_dir)[-1]["val_accuracy"], abs=1e-4)
    with pytest.raises(SystemExit):
        main(["test", *last])
    assert "X_test_embed" in capsys.readouterr().err


def test_the_network_is_loaded_in_a_script_without_data(fit, packages):
    from repviz.model.classifier import EmbeddingClassifier

    run_dir = fit("--trainer.max_epochs", "1")
    model = EmbeddingClassifier.load_from_checkpoint(run_dir / "checkpoints" / "last.ckpt", weights_only=True).eval()
    assert model(torch.zeros(2, 384), torch.zeros(2, 10)).shape == (2, 20)


def test_killed_in_the_first_epoch_the_table_has_no_row_twice(fit):
    whole = fit("--trainer.max_epochs", "2")
    begun = fit("--trainer.max_epochs", "2")
    for name in ("epoch_000001", "epoch_000002", "best"):
        (begun / "checkpoints" / f"{name}.ckpt").unlink()
    last = begun / "checkpoints" / "last.ckpt"
    last.unlink()
    last.hardlink_to(begun / "checkpoints" / "epoch_000000.ckpt")
    main(["fit", "--config", str(begun / "config.yaml"), "--ckpt-path", str(last)])
    assert (begun / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert same_weights(weights(begun), weights(whole))


def test_a_run_that_ended_early_stays_ended_when_resumed(fit):
    settings = ["--trainer.max_epochs", "30", "--model.lr", "1e-12", "--early-stopping.patience", "2"]
    run_dir = fit(*settings)
    before = (run_dir / "metrics.csv").read_text()
    last = str(run_dir / "checkpoints" / "last.ckpt")
    main(["fit", "--config", str(run_dir / "config.yaml"), "--ckpt-path", last])
    assert (run_dir / "metrics.csv").read_text() == before


def test_a_run_goes_on_with_its_own_data_only(fit, packages, tmp_path, capsys):
    run_dir = fit("--trainer.max_epochs", "1")
    data = dict(np.load(packages))
    np.savez(tmp_path / "other.npz", **{**data, "X_train_embed": data["X_train_embed"][::-1]})
    last = ["--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt"), "--data.path", str(tmp_path / "other.npz")]
    with pytest.raises(SystemExit) as ended:
        main(["fit", "--config", str(run_dir / "config.yaml"), *last])
    assert ended.value.code == 2
    assert "not the data that the checkpoint was trained on" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [[], ["--trainer.max_steps", "10"]])
def test_warm_up_lasts_as_many_epochs_as_asked_wherever_training_ends(fit, steps):
    run_dir = fit("--trainer.max_epochs", "4", "--model.warmup_epochs", "1", "--model.schedule", "constant", *steps)
    first = read_metrics(run_dir)[1]
    assert first["step"] == 7
    assert first["lr"] == pytest.approx(1e-3)
    begin = torch.load(run_dir / "checkpoints" / "epoch_000000.ckpt", weights_only=True)["lr_schedulers"][0]
    assert begin["_last_lr"] == [pytest.approx(1e-3 / 8)]
