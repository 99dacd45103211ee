"""Whole trainings killed at random moments and resumed: nothing that was finished is lost, changed or different."""

import hashlib
import random
import shutil
import time
from pathlib import Path

import xarray as xr

import repviz
from repviz.background.pending import pending_epochs
from repviz.cli import main
from repviz.dashboards.app import create_app
from repviz.store.artifacts import epochs
from repviz.store.checkpoint_paths import checkpoint_epochs
from repviz.store.listing import table
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import children_of, lives, wait_for
from tests.reliability.test_signals import LIMIT, LOOKING, begun
from tests.training.conftest import _one_thread, fit, same_weights, start, weights  # noqa: F401

KINDS = ("geometry", "prediction", "projection", "similarity")
MAPS = ["--projection.enabled", "true", "--projection.methods", "[pca]", "--projection.mode", "inline"]


def digests(run_dir: Path) -> dict[str, str]:
    """What each artifact holds, byte for byte."""
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in run_dir.glob("artifacts/*/*")
        if not path.name.startswith(".")
    }


def check_whole(run_dir: Path) -> int:
    """Everything under a final name can be read, and the run is shown as killed; gives the last epoch."""
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "killed"
    assert "killed" in table(run_dir.parent)
    rows = [row["epoch"] for row in read_metrics(run_dir)]
    assert rows == list(range(len(rows)))
    for kind in run.kinds():
        assert not run.errors(kind)
        for epoch in run.epochs(kind):
            run.read(kind, epoch)
    for path in (run_dir / "checkpoints").glob("*.ckpt"):
        assert weights(run_dir, path.name)
    check_shown(run_dir, rows)
    return rows[-1]


def check_shown(run_dir: Path, rows: list[int]) -> None:
    """The dashboard says that the run was killed, and shows what there is of it."""
    client = create_app(run_dir.parent).server.test_client()
    (entry,) = client.get("/data/runs").json["runs"]
    assert (entry["state"], entry["epoch"]) == ("killed", rows[-1])
    manifest = client.get(f"/data/runs/{run_dir.name}/manifest").json
    assert manifest["state"] == "killed"
    assert not manifest["problems"]
    assert manifest["metrics"]["epochs"] == rows
    run = repviz.open_run(run_dir)
    assert {kind: told["epochs"] for kind, told in manifest["artifacts"].items()} == {
        kind: run.epochs(kind) for kind in run.kinds()
    }


def check_equal(run_dir: Path, reference: Path) -> None:
    """All artifacts hold the numbers of a training that nobody has killed."""
    run, other = repviz.open_run(run_dir), repviz.open_run(reference)
    for kind in KINDS:
        assert run.epochs(kind)
        for epoch in run.epochs(kind):
            xr.testing.assert_equal(run.read(kind, epoch), other.read(kind, epoch))


@soaking
def test_killed_resumed_and_diagnosed(start, fit, packages, tmp_path, times):  # noqa: F811
    moments = random.Random(0)
    process, run_dir = begun(start, packages, tmp_path, *MAPS)
    saved, going_on = {}, []
    for number in range(times(1, 20)):
        if number:
            process = start("fit", *going_on)
        seen = len(epochs(run_dir, "similarity"))
        wait_for(process, lambda seen=seen: len(epochs(run_dir, "similarity")) > seen)
        time.sleep(moments.uniform(0, 1))
        workers = children_of(process.pid)
        assert workers
        process.kill()
        process.communicate()
        deadline = time.monotonic() + LIMIT
        while left := [pid for pid in workers if lives(pid)]:
            assert time.monotonic() < deadline, f"orphans: {left}, at the {number}th kill"
            time.sleep(0.02)
        last = check_whole(run_dir)
        now = digests(run_dir)
        assert saved.items() <= now.items()
        saved = now
        going_on = ["--config", str(run_dir / "config.yaml"), "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")]
    left = tmp_path / "left" / "run"
    shutil.copytree(run_dir, left)

    going_on += ["--trainer.max_epochs", str(last + 2)]
    main(["fit", *going_on])
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert all(run.epochs(kind) == list(range(last + 3)) for kind in KINDS)
    assert saved.items() <= digests(run_dir).items()
    assert pending_epochs(run_dir) == []

    before = digests(left)
    main(["diagnose", "--run-dir", str(left)])
    after = digests(left)
    assert before.items() <= after.items()
    diagnosed = repviz.open_run(left)
    assert all(diagnosed.epochs(kind) == checkpoint_epochs(left) for kind in KINDS)
    assert len(checkpoint_epochs(left)) in (last, last + 1), "killed before the last epoch's checkpoint, or after"

    whole = [*LOOKING, *MAPS, "--diagnostics", "inline", "--trainer.max_epochs", str(last + 2)]
    untroubled = fit(*whole, name="untroubled")
    assert same_weights(weights(run_dir), weights(untroubled))
    check_equal(run_dir, untroubled)
    check_equal(left, untroubled)
