"""A run's folder that is removed, full or read-only in the middle of a training: it ends no training, and it is said.

What mounts file systems needs root.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import repviz
from repviz.background import pending
from repviz.background.background import Background
from repviz.cli import main
from repviz.store.checkpoint_paths import checkpoint_epochs
from repviz.store.metrics_table import MetricsTable, read_metrics
from repviz.store.run_folder import write_run_file
from tests.conftest import soaking
from tests.training.conftest import SMALL, _one_thread, fit, same_weights, weights  # noqa: F401

EPOCHS = 6
LOOKED_AT = [
    *("--sample.size", "60", "--sample.excluded", "0", "--projection.enabled", "false", "--background.nice", "0"),
    *("--geometry.enabled", "true", "--early_stopping.enabled", "false", "--trainer.max_epochs", str(EPOCHS)),
]
MODES = ("inline", "background")
CANNOT, AGAIN = "the run cannot be written", "the run is written again"


def at_epochs(monkeypatch, deeds: dict[int, Callable[[Path], None]]) -> None:
    """Each deed is done once, where its epoch's row is written."""
    real, left = MetricsTable.write, dict(deeds)

    def write(table: MetricsTable, run_dir: Path) -> None:
        left.pop(table.rows[-1]["epoch"], lambda _: None)(run_dir)
        real(table, run_dir)

    monkeypatch.setattr(MetricsTable, "write", write)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def with_nothing_waiting(deed: Callable[[Path], None] = lambda run_dir: None) -> Callable[[Path], None]:
    """The deed, once all that was handed to the background has been looked at."""

    def do(run_dir: Path) -> None:
        wait_until(lambda: not (run_dir / pending.PENDING).exists())
        deed(run_dir)

    return do


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


@pytest.mark.parametrize("mode", ["inline", pytest.param("background", marks=soaking)])
def test_a_run_whose_folder_is_removed_goes_on_in_a_new_one(mode, fit, untroubled, monkeypatch, capsys):  # noqa: F811
    at_epochs(monkeypatch, {2: with_nothing_waiting(shutil.rmtree)})
    run_dir = fit(*LOOKED_AT, "--diagnostics", mode)
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
        while os.path.ismount(where):
            subprocess.run(["umount", str(where)], check=True)


def system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


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


def made_larger(disk: Path) -> Callable[[Path], None]:
    return lambda run_dir: system("mount", "-o", "remount,size=60m", str(disk))


def covered(disk: Path) -> Callable[[Path], None]:
    """What opens a file from now on finds a read-only disk; one with an open log could not be made so itself."""

    def cover(run_dir: Path) -> None:
        system("mount", "--bind", str(disk), str(disk))
        system("mount", "-o", "remount,bind,ro", str(disk))

    return cover


def uncovered(disk: Path) -> Callable[[Path], None]:
    return lambda run_dir: system("umount", "--lazy", str(disk))


def of_an_ended_process(run_dir: Path) -> None:
    """The command that trained has ended, as it has where it was no part of a test."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    write_run_file(run_dir, json.loads((run_dir / "run.json").read_text()) | {"pid": ended.pid})
    assert repviz.open_run(run_dir).info()["state"] == "killed"


DEEDS = {
    "full": (filled, made_larger, "No space left on device"),
    "read-only": (covered, uncovered, "Read-only file system"),
}


def fit_on(disk: Path, packages: Path, mode: str) -> list[str]:
    looked_at = [*SMALL, *LOOKED_AT, "--diagnostics", mode]
    return ["fit", "--data.path", str(packages), "--runs-dir", str(disk / "runs"), *looked_at]


@soaking
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("forever", [False, True])
@pytest.mark.parametrize("what", DEEDS)
def test_a_disk_that_takes_nothing_in_the_middle(what, forever, mode, disk, untroubled, packages, monkeypatch, capsys):
    harm, cure, reason = DEEDS[what]
    deeds = {2: with_nothing_waiting(harm(disk))}
    at_epochs(monkeypatch, deeds if forever else deeds | {4: cure(disk)})
    arguments = fit_on(disk, packages, mode)
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
        cure(disk)(run_dir)
        of_an_ended_process(run_dir)
        again = ["fit", "--config", str(run_dir / "config.yaml"), "--ckpt-path", str(run_dir / "checkpoints/last.ckpt")]
        main(again)
    assert run.info()["state"] == "finished"
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(EPOCHS + 1))
    missing = {2, 3} - set(checkpoint_epochs(run_dir))
    assert missing == (set() if forever else {2, 3})
    assert same_weights(weights(run_dir), untroubled)
    check_readable(run_dir)
    main(["diagnose", "--run-dir", str(run_dir)])
    assert run.epochs("geometry") == run.epochs("prediction") == checkpoint_epochs(run_dir)


@pytest.mark.parametrize("what", ["full", pytest.param("read-only", marks=soaking)])
def test_what_cannot_be_written_beside_training_is_said_and_left(what, disk, untroubled, packages, monkeypatch, capsys):
    harm, cure, reason = DEEDS[what]
    put, submit, seen = pending.put, Background.submit, []

    def put_and_harm(run_dir: Path, epoch: int, checkpoint: Path) -> Path:
        waiting = put(run_dir, epoch, checkpoint)
        if epoch == 1:
            harm(disk)(run_dir)
        return waiting

    def note_and_submit(background: Background, *args: object) -> None:
        seen.append(background)
        submit(background, *args)

    def cure_once_looked_at(run_dir: Path) -> None:
        wait_until(lambda: seen[0].waiting == 0)
        cure(disk)(run_dir)

    monkeypatch.setattr(pending, "put", put_and_harm)
    monkeypatch.setattr(Background, "submit", note_and_submit)
    at_epochs(monkeypatch, {1: with_nothing_waiting(), 4: cure_once_looked_at})
    main([*fit_on(disk, packages, "background"), "--keep-checkpoints", "1"])
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "started anew" not in said, "the program beside training does not end for want of a log"
    assert said.count(CANNOT) == said.count(AGAIN) == 1
    assert reason in said
    (run_dir,) = (disk / "runs").iterdir()
    assert said.count(f"1 epoch has not been looked at; 'repviz diagnose --run-dir {run_dir}' does it") == 1
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert same_weights(weights(run_dir), untroubled)
    check_readable(run_dir)
    assert checkpoint_epochs(run_dir) == [EPOCHS]
    assert pending.pending_epochs(run_dir) == [1], "its weights are nowhere else"
    assert run.epochs("geometry") == run.epochs("prediction") == [0, 4, 5, 6]
    main(["diagnose", "--run-dir", str(run_dir)])
    assert run.epochs("geometry") == run.epochs("prediction") == [0, 1, 4, 5, 6]
    assert pending.pending_epochs(run_dir) == []
