"""Told to end, or killed: training ends soon, says so, can go on, and leaves no process behind."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException

import repviz
from repviz.background.pending import pending_epochs
from repviz.callbacks.recorder import RunRecorder
from repviz.cli import main
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import children_of, only_run, script, wait_for, words_of  # noqa: F401
from tests.training.conftest import _one_thread, fit, same_weights, start, weights  # noqa: F401
from tests.training.slowly import SLOWLY

LOOKING = [
    *("--sample.size", "100", "--sample.excluded", "0", "--projection.enabled", "false"),
    *("--similarity.enabled", "true", "--similarity.mode", "inline", "--geometry.enabled", "true"),
    *("--early_stopping.enabled", "false", "--data.batch_size", "32", "--model.schedule", "constant"),
    # Where the machine is busy, the worker keeps up all the same: there is never much left to be computed.
    *("--background.when_full", "wait", "--background.queue_size", "2", "--background.nice", "0"),
]
SMALL = [
    *("--model.hidden_dims", "[32, 16]", "--trainer.accelerator", "cpu", "--runtime.torch_threads", "1"),
    *("--baseline.enabled", "false"),
]
SIGNALS = (pytest.param(signal.SIGINT, marks=soaking), signal.SIGTERM)
LIMIT = 10
"""Seconds within which training ends."""


def begun(start, packages, tmp_path, *more):  # noqa: F811
    """A long run, inline and in the background, once both have seen something."""
    options = ["--data.path", str(packages), "--runs-dir", str(tmp_path / "runs"), *SMALL, *LOOKING]
    process = start("fit", *options, "--trainer.max_epochs", "500", *more)
    wait_for(
        process, lambda: all(list(tmp_path.glob(f"runs/*/artifacts/{k}/*1.h5")) for k in ("similarity", "geometry"))
    )
    return process, only_run(tmp_path)


def ended(process, number: int) -> tuple[str, float]:
    """What it has said and how long it took to end after the signal; with a code that says that it was not finished."""
    began = time.monotonic()
    process.send_signal(number)
    output = words_of(process)
    # Inside a look, or where training waits for one, SIGTERM is as Ctrl-C.
    assert process.returncode in ((1,) if number == signal.SIGINT else (1, 128 + signal.SIGTERM)), output
    return output, time.monotonic() - began


@pytest.mark.parametrize("number", SIGNALS)
def test_told_to_end_while_it_trains(number, start, fit, packages, tmp_path, times):  # noqa: F811
    moments = random.Random(number)
    for _ in range(times(1, 10)):
        here = tmp_path / str(moments.random())
        process, run_dir = begun(start, packages, here, "--background.when_full", "later", *SLOWLY)
        (worker,) = children_of(process.pid)
        time.sleep(moments.uniform(0, 1))
        output, seconds = ended(process, number)
        assert seconds < LIMIT
        assert repviz.open_run(run_dir).info()["state"] == "stopped", output
        assert ("repviz diagnose" in output) == bool(pending_epochs(run_dir))
        assert not Path(f"/proc/{worker}").exists()
        epochs = len(read_metrics(run_dir)) - 1
        last = ["--config", str(run_dir / "config.yaml"), "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")]
        main(["fit", *last, "--trainer.max_epochs", str(epochs + 1), "--diagnostics", "off"])
        assert repviz.open_run(run_dir).info()["state"] == "finished"
    untold = fit(*LOOKING, "--trainer.max_epochs", str(epochs + 1))
    assert same_weights(weights(untold), weights(run_dir))


def test_what_still_waits_is_said_and_diagnose_computes_it(start, packages, tmp_path):  # noqa: F811
    """The program beside training is halted, as if a diagnostic of its took long."""
    process, run_dir = begun(start, packages, tmp_path, "--background.when_full", "later", *SLOWLY)
    (worker,) = children_of(process.pid)
    os.kill(worker, signal.SIGSTOP)
    there = len(pending_epochs(run_dir))
    wait_for(process, lambda: len(pending_epochs(run_dir)) > there + 2)
    output, seconds = ended(process, signal.SIGINT)
    assert seconds < LIMIT
    assert not Path(f"/proc/{worker}").exists()
    waiting, run = pending_epochs(run_dir), repviz.open_run(run_dir)
    said = re.search(rf"(\d+) epochs have not been looked at; 'repviz diagnose --run-dir {run_dir}'", output)
    # One more where the signal came in the moment that it was to be laid beside the others.
    assert int(said[1]) in (len(waiting), len(waiting) + 1), output
    assert run.info()["state"] == "stopped"
    assert not {*run.epochs("geometry")} & {*waiting[1:]}, "the first may have been written when it was halted"
    main(["diagnose", "--run-dir", str(run_dir)])
    assert {*waiting} <= {*run.epochs("geometry")}
    assert pending_epochs(run_dir) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_told_to_end_while_something_looks_for_long(number, script, tmp_path):  # noqa: F811
    process = script("""
        def compute(self, snapshot, earlier=None):
            if snapshot.epoch == 1:
                Path("looking").touch()
                time.sleep(300)
            return seen(snapshot)

        fit([diagnostic("slow", compute)(mode="inline"), SimilarityCallback()], batch_size=512)
        """)
    wait_for(process, (tmp_path / "looking").exists)
    began = time.monotonic()
    process.send_signal(number)
    output = words_of(process)
    assert time.monotonic() - began < LIMIT
    assert process.returncode == 1, output
    run = repviz.open_run(only_run(tmp_path))
    assert run.info()["state"] == "stopped", output
    assert run.epochs("slow") == [0]
    assert weights(run.path)


def test_terminated_between_steps_it_does_not_end_as_if_all_were_done():
    terminated = SIGTERMException()
    RunRecorder().on_exception(None, None, terminated)
    assert terminated.code == 128 + signal.SIGTERM


@soaking
def test_killed_training_leaves_no_orphan(start, packages, tmp_path, times):  # noqa: F811
    moments = random.Random(2)
    for number in range(times(1, 50)):
        process, _ = begun(start, packages, tmp_path / str(number))
        workers = children_of(process.pid)
        assert workers
        time.sleep(moments.uniform(0, 1))
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 5
        while left := [pid for pid in workers if Path(f"/proc/{pid}").exists()]:
            assert time.monotonic() < deadline, f"orphans: {left}, at the {number}th kill"
            time.sleep(0.02)
