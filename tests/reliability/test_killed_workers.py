"""The program beside training is killed again and again: training does not notice, the run says what is missing."""

import os
import random
import signal
import time

import xarray as xr

import repviz
from repviz.background.pending import pending_epochs
from repviz.cli import main
from tests.conftest import soaking
from tests.reliability.scripts import children_of, wait_for, words_of
from tests.reliability.test_signals import LIMIT, LOOKING, begun
from tests.training.conftest import _one_thread, fit, same_weights, start, weights  # noqa: F401

KINDS = ("geometry", "prediction", "probe")
UNCHAINED = ("geometry", "prediction")
"""Whose numbers do not start from those of the epoch before, which may be missing at first."""
BESIDE = [
    *("--prediction.mode", "background", "--probe.enabled", "true", "--background.when_full", "later"),
    *("--sample.size", "300"),
]


@soaking
def test_workers_that_are_killed_at_random(start, fit, packages, tmp_path):  # noqa: F811
    moments, epochs = random.Random(0), 400
    process, run_dir = begun(start, packages, tmp_path, *BESIDE, "--trainer.max_epochs", str(epochs))
    killed = set()
    while len(killed) < 50:
        wait_for(process, lambda: set(children_of(process.pid)) - killed)
        time.sleep(moments.uniform(0, 4) if killed else 0.0)
        for worker in children_of(process.pid):
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
    output = words_of(process, 300 + LIMIT)
    assert process.returncode == 0, output
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert pending_epochs(run_dir) == []
    for kind in KINDS:
        errors, there = run.errors(kind), run.epochs(kind)
        assert sorted({*errors, *there}) == list(range(epochs + 1))
        said = [error["message"] for error in errors.values()]
        assert all("ended by signal 9" in text for text in said), said

    main(["diagnose", "--run-dir", str(run_dir)])
    untroubled = fit(*LOOKING, *BESIDE, "--diagnostics", "inline", "--trainer.max_epochs", str(epochs), name="whole")
    assert same_weights(weights(run_dir), weights(untroubled))
    other = repviz.open_run(untroubled)
    for kind in KINDS:
        assert not run.errors(kind)
        assert run.epochs(kind) == list(range(epochs + 1))
    for kind in UNCHAINED:
        for epoch in range(epochs + 1):
            xr.testing.assert_equal(run.read(kind, epoch), other.read(kind, epoch))
