"""Runs that go on: from any checkpoint, with more patience, in another mode, or with nothing left to train."""

import signal
import time

import pytest

import repviz
from repviz.background.pending import pending_epochs, put
from repviz.cli import main
from repviz.store.artifacts import write_error
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import words_of
from tests.training.conftest import same_weights, weights

POINTS = ["--sample.size", "100", "--sample.excluded", "0", "--projection.enabled", "false"]


def go_on(run, checkpoint: str, *options: str) -> None:
    main(
        [
            "fit",
            "--config",
            str(run.path / "config.yaml"),
            "--ckpt-path",
            str(run.path / "checkpoints" / checkpoint),
            *options,
        ]
    )


@pytest.mark.parametrize("mode", [pytest.param("background", marks=soaking), "inline"])
def test_a_run_that_branches_off_is_looked_at_from_where_it_begins(fit, mode):
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS))
    go_on(run, "epoch_000001.ckpt", "--diagnostics", mode)
    (branch,) = set(run.path.parent.iterdir()) - {run.path}
    branch = repviz.open_run(branch)
    assert branch.epochs("prediction") == [1, 2]
    assert [row["epoch"] for row in read_metrics(branch.path)] == [0, 1, 2]
    accuracy = [row["val_accuracy"] for row in read_metrics(branch.path)]
    assert branch.info()["results"]["model_best"]["val_accuracy"] == max(accuracy[1:])
    best = 1 if accuracy[1] >= accuracy[2] else 2
    assert same_weights(weights(branch.path, "best.ckpt"), weights(branch.path, f"epoch_00000{best}.ckpt"))


def test_more_patience_goes_on_with_a_run_that_had_ended_early(fit):
    stopping = ["--early_stopping.patience", "1", "--early_stopping.min_delta", "0.9"]
    run = repviz.open_run(fit("--trainer.max_epochs", "6", *POINTS, *stopping))
    assert len(read_metrics(run.path)) == 3
    go_on(run, "last.ckpt", "--early_stopping.patience", "3")
    assert len(read_metrics(run.path)) == 5
    go_on(run, "last.ckpt", "--early_stopping.enabled", "false")
    assert len(read_metrics(run.path)) == 7


def test_what_is_there_of_later_epochs_goes_when_the_run_goes_on(fit):
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline"))
    for epoch in (1, 2):
        write_error(run.path, "prediction", epoch, ValueError("it was so once"), "")
    go_on(run, "last.ckpt", "--trainer.max_epochs", "2")
    assert list(run.errors("prediction")) == [1]


def test_a_run_that_has_all_its_epochs_is_brought_to_its_end(fit):
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS, "--diagnostics", "inline"))
    (run.path / "artifacts" / "prediction" / "epoch_000001.h5").unlink()
    (run.path / "results.csv").unlink()
    put(run.path, 1, run.path / "checkpoints" / "epoch_000001.ckpt")
    go_on(run, "last.ckpt", "--baseline.enabled", "true", "--diagnostics", "background")
    assert run.info()["state"] == "finished"
    assert run.epochs("prediction") == [0, 1, 2]
    assert "model_best" in run.info()["results"]
    assert pending_epochs(run.path) == []


def test_what_waits_stays_when_the_run_goes_on_looking_elsewhere(fit):
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS, "--keep_checkpoints", "1"))
    put(run.path, 1, run.path / "checkpoints" / "last.ckpt")
    go_on(run, "last.ckpt", "--trainer.max_epochs", "3", "--diagnostics", "inline")
    assert pending_epochs(run.path) == [1]
    main(["diagnose", "--run-dir", str(run.path), "--only", "similarity"])
    assert pending_epochs(run.path) == [1], "prediction of epoch 1 still needs it"
    main(["diagnose", "--run-dir", str(run.path)])
    assert 1 in run.epochs("prediction")
    assert pending_epochs(run.path) == []


def test_offline_computes_the_last_epoch_and_those_of_which_activations_were_kept(fit, capsys):
    seldom = ["--checkpoint_every_n_epochs", "2", "--similarity.enabled", "true", "--diagnostics", "offline"]
    run = repviz.open_run(fit("--trainer.max_epochs", "3", *POINTS, *seldom))
    main(["diagnose", "--run-dir", str(run.path)])
    assert run.epochs("prediction") == [0, 2, 3]
    assert run.epochs("similarity") == [0, 1, 2, 3]


def test_kept_activations_of_some_layers_are_not_taken_for_all(fit):
    some = ["--activations.layers", "[penultimate]", "--similarity.enabled", "true", "--diagnostics", "offline"]
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, *some))
    main(["diagnose", "--run-dir", str(run.path), "--only", "similarity"])
    assert list(run.read("similarity", 1).layer.values) == run.info()["layers"]


def test_an_epoch_that_was_not_looked_at_is_named(fit, capsys):
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS, "--diagnostics", "inline"))
    main(["verify", "--run-dir", str(run.path)])
    (run.path / "artifacts" / "prediction" / "epoch_000001.h5").unlink()
    with pytest.raises(SystemExit):
        main(["verify", "--run-dir", str(run.path)])
    assert "prediction has not looked at epoch 1" in capsys.readouterr().err


def test_an_epoch_over_the_time_budget_is_looked_at_when_training_ends_there(fit, monkeypatch):
    monkeypatch.setattr("repviz.callbacks.observer.Observer._exceeded", thin_all_but_ends)
    stopping = ["--early_stopping.patience", "1", "--early_stopping.min_delta", "0.9"]
    run = repviz.open_run(fit("--trainer.max_epochs", "6", *POINTS, *stopping, "--diagnostics", "inline"))
    assert run.epochs("prediction") == [0, 2]


def thin_all_but_ends(self, epoch, *, last):
    return not (epoch == 0 or last)


def test_terminated_while_it_drains_a_run_leaves_the_rest_for_later(start, packages, tmp_path):
    options = ["--data.path", str(packages), "--runs-dir", str(tmp_path), "--model.hidden_dims", "[32, 16]"]
    waiting = ["--sample.size", "2000", "--probe.enabled", "true", "--baseline.enabled", "false"]
    process = start("fit", *options, *waiting, "--trainer.max_epochs", "8", "--trainer.accelerator", "cpu")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*/checkpoints/epoch_000008.ckpt")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output = words_of(process, 30)
    assert time.monotonic() - began < 10
    assert process.returncode == 1, output
    (run_dir,) = tmp_path.iterdir()
    assert "repviz diagnose" in output
    assert "Traceback" not in output
    assert repviz.open_run(run_dir).info()["state"] == "stopped"
    assert pending_epochs(run_dir)
