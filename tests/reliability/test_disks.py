"""A run's folder that is removed, full or read-only in the middle of a training: it ends no training, and it is said.

What mounts file systems needs root.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import repviz
from repviz.callbacks.checkpoints import checkpoint_epochs
from repviz.cli import main
from repviz.store.metrics_table import MetricsTable, read_metrics
from repviz.store.run_folder import write_run_file
from tests.reliability.conftest import soaking
from tests.training.conftest import SMALL, _one_thread, fit, same_weights, weights  # noqa: F401

EPOCHS = 6
LOOKED_AT = [
    *("--diagnostics", "inline", "--sample.size", "60", "--sample.excluded", "0", "--projection.enabled", "false"),
    *("--geometry.enabled", "true", "--early_stopping.enabled", "false", "--trainer.max_epochs", str(EPOCHS)),
]
CANNOT, AGAIN = "the run cannot be written", "the run is written again"


def at_epochs(monkeypatch, deeds: dict[int, Callable[[Path], None]]) -> None:
    """Each deed is done once, where its epoch's row is written."""
    real, left = MetricsTable.write, dict(deeds)

    def write(table: MetricsTable, run_dir: Path) -> None:
        left.pop(table.rows[-1]["epoch"], lambda _: None)(run_dir)
        real(table, run_dir)

    monkeypatch.setattr(MetricsTable, "write", write)


def check_readable(run_dir: Path) -> None:
    """Whatever has its final name can be read."""
    run = repviz.open_run(run_dir)
    run.info(), run.metrics(), run.sample()
    for kind in run.kinds():
        for epoch in run.epochs(kind):
            run.read(kind, epoch)
    for path in (run_dir / "checkpoints").glob("*.ckpt"):
        assert weights(run_dir, path.name)


@pytest.fixture
def untroubled(fit) -> dict:  # noqa: F811
    return weights(fit(*LOOKED_AT, "--diagnostics", "off", name="untroubled"))


def test_a_run_whose_folder_is_removed_goes_on_in_a_new_one(fit, untroubled, monkeypatch, capsys):  # noqa: F811
    at_epochs(monkeypatch, {2: shutil.rmtree})
    run_dir = fit(*LOOKED_AT)
    said = capsys.readouterr().err
    assert said.count(CANNOT) == said.count(AGAIN) == 1
    assert f"No such file or directory: {run_dir}" in said
    assert "Traceback" not in said
    check_readable(run_dir)
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(EPOCHS + 1))
    assert checkpoint_epochs(run_dir) == list(range(2, EPOCHS + 1))
    assert run.epochs("geometry") == list(range(3, EPOCHS + 1)), "epoch 2 was one that could not be written"
    assert same_weights(weights(run_dir), untroubled)
    main(["diagnose", "--run-dir", str(run_dir)])  # what it was trained with and which points it is are there again
    assert run.epochs("geometry") == list(range(2, EPOCHS + 1))


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A file system of 6 MB in memory."""
    where = tmp_path / "disk"
    where.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", where], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def remounted(disk: Path, options: str) -> Callable[[Path], None]:
    command = ["mount", "-o", f"remount,{options}", str(disk)]
    return lambda run_dir: subprocess.run(command, check=True, capture_output=True) and None


def filled(disk: Path) -> Callable[[Path], None]:
    """Somebody else takes all room."""

    def fill(run_dir: Path) -> None:
        try:
            with (disk / "of somebody else").open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError:
            return

    return fill


def of_an_ended_process(run_dir: Path) -> None:
    """The command that trained has ended, as it has where it was no part of a test."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    write_run_file(run_dir, json.loads((run_dir / "run.json").read_text()) | {"pid": ended.pid})
    assert repviz.open_run(run_dir).info()["state"] == "killed"


DEEDS = {
    "full": (filled, "size=60m", "No space left on device"),
    "read-only": (lambda disk: remounted(disk, "ro"), "rw", "Read-only file system"),
}


@soaking
@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("what", DEEDS)
def test_a_disk_that_takes_nothing_in_the_middle(what, forever, disk, untroubled, packages, monkeypatch, capsys):
    harm, cure, reason = DEEDS[what]
    deeds = {2: harm(disk)} if forever else {2: harm(disk), 4: remounted(disk, cure)}
    at_epochs(monkeypatch, deeds)
    arguments = ["fit", "--data.path", str(packages), "--runs-dir", str(disk / "runs"), *SMALL, *LOOKED_AT]
    if forever:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    else:
        main(arguments)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert said.count(CANNOT) == 1
    assert reason in said
    assert said.count(AGAIN) == (0 if forever else 1)
    (run_dir,) = (disk / "runs").iterdir()
    check_readable(run_dir)
    run = repviz.open_run(run_dir)
    if forever:
        assert said.count("training has ended, but its end could not be written") == 1
        assert checkpoint_epochs(run_dir) == [0, 1]
        assert run.epochs("geometry") == [0, 1]
        remounted(disk, cure)(run_dir)
        of_an_ended_process(run_dir)
        again = ["fit", "--config", str(run_dir / "config.yaml"), "--ckpt-path", str(run_dir / "checkpoints/last.ckpt")]
        main(again)
    assert run.info()["state"] == "finished"
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(EPOCHS + 1))
    missing = {2, 3} - set(checkpoint_epochs(run_dir))
    assert missing == (set() if forever else {2, 3})
    assert same_weights(weights(run_dir), untroubled)
    check_readable(run_dir)
