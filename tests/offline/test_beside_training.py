"""``repviz diagnose --jobs`` while the run is still trained: nothing twice, nothing lost, the numbers of later."""

import os
import signal
import time
from pathlib import Path

import xarray as xr

import repviz
from repviz.background.pending import pending_epochs
from repviz.cli import main
from repviz.store.checkpoint_paths import checkpoint_epochs
from repviz.store.run_folder import read_run_file
from tests.conftest import soaking
from tests.reliability.scripts import children_of, wait_for
from tests.training.conftest import SMALL, fit, start  # noqa: F401
from tests.training.slowly import SLOWLY

KINDS = ["prediction", "similarity"]
OPTIONS = ["--only", ",".join(KINDS), "--threads", "1"]


@soaking
def test_diagnosing_beside_training_gives_the_numbers_of_afterwards(start, packages, tmp_path):  # noqa: F811
    runs_dir = tmp_path / "runs"
    process = start(
        "fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, "--trainer.max_epochs", "1000",
        "--sample.size", "120", "--data.batch_size", "32", "--early_stopping.enabled", "false", *SLOWLY,
    )  # fmt: skip
    while not list(runs_dir.glob("*/checkpoints/epoch_000002.ckpt")):
        assert process.poll() is None
        time.sleep(0.05)
    (run_dir,) = runs_dir.iterdir()
    main(["diagnose", "--run-dir", str(run_dir), "--jobs", "2", *OPTIONS])
    assert process.poll() is None, "it looked while the run was trained"
    process.terminate()
    early = repviz.open_run(run_dir).epochs("prediction")
    written = {path: path.stat().st_mtime_ns for path in run_dir.glob("artifacts/*/*.h5")}
    assert process.wait(60) != 0
    main(["diagnose", "--run-dir", str(run_dir), *OPTIONS])
    run = repviz.open_run(run_dir)
    assert read_run_file(run_dir)["state"] == "stopped"
    last = checkpoint_epochs(run_dir)[-1]
    assert 2 <= early[-1] < last
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())
    assert not list(run_dir.glob("artifacts/*/*.error.json"))
    assert all(run.epochs(kind) == list(range(last + 1)) for kind in KINDS)
    before = {(kind, epoch): run.read(kind, epoch) for kind in KINDS for epoch in (*early[:2], early[-1], last)}
    main(["diagnose", "--run-dir", str(run_dir), "--overwrite", *OPTIONS])
    for (kind, epoch), found in before.items():
        xr.testing.assert_equal(found, run.read(kind, epoch))


def test_what_waits_for_the_background_is_left_to_it(start, packages, tmp_path, capsys):  # noqa: F811
    runs_dir, looks = tmp_path / "runs", ["--diagnostics", "background", "--projection.enabled", "false"]
    process = start(
        "fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, *looks,
        "--similarity.enabled", "true", "--trainer.max_epochs", "8", "--sample.size", "120",
        "--data.batch_size", "128", *SLOWLY,
    )  # fmt: skip
    wait_for(process, lambda: list(runs_dir.glob("*/artifacts/similarity/epoch_000000.h5")))
    (run_dir,) = runs_dir.iterdir()
    children = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children_of(process.pid)}
    (worker,) = [pid for pid, command in children.items() if b"background.worker" in command]
    os.kill(worker, signal.SIGSTOP)
    try:
        wait_for(process, lambda: len(pending_epochs(run_dir)) >= 3)
        written = {path: path.stat().st_ino for path in run_dir.glob("artifacts/*/*.h5")}
        main(["diagnose", "--run-dir", str(run_dir), *OPTIONS])
        assert process.poll() is None, "it looked while the run was trained"
        assert {path: path.stat().st_ino for path in run_dir.glob("artifacts/*/*.h5")} == written
        run = repviz.open_run(run_dir)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert process.wait(120) == 0
    assert all(run.epochs(kind) == list(range(9)) for kind in KINDS)
    assert {path: path.stat().st_ino for path in written} == written
    assert capsys.readouterr().out.splitlines()[-1] == "0 computed"
