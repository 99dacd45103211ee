"""One call of the system fails during a whole training: nothing is half written, nothing ends differently."""

import errno
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

import repviz
from repviz.atomic import TEMPORARY_SUFFIX
from repviz.background.pending import pending_epochs
from repviz.cli import main
from repviz.store.checkpoint_paths import checkpoint_epochs
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.training.conftest import SMALL, _one_thread, same_weights, weights  # noqa: F401

CALLS = {
    "fsync": (os, lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}")),
    "replace": (os, lambda source, target: target),
    "link": (os, lambda source, target, **_: target),
    "open": (os, lambda path, *_, **__: path),
    "mkdir": (os, lambda path, *_, **__: path),
    "unlink": (os, lambda path, **_: path),
    "io.open": (io, lambda path, *_, **__: path),
}
"""Where each function is, and which file a call of it is about."""
EPOCHS = 2
KINDS = ("geometry", "prediction")
OPTIONS = [
    *("--sample.size", "60", "--sample.excluded", "0", "--projection.enabled", "false", "--geometry.enabled", "true"),
    *("--trainer.max_epochs", str(EPOCHS), "--early_stopping.enabled", "false", "--background.nice", "0"),
]


class FailingOnce:
    """A function whose n-th call about something in a folder fails."""

    def __init__(self, real: Callable, about: Callable, folder: Path, failing: int | None = None):
        self.real, self.about, self.folder, self.failing = real, about, f"{folder}{os.sep}", failing
        self.count = 0

    def __call__(self, *args, **kwargs):
        path = str(self.about(*args, **kwargs))
        if path.startswith(self.folder):
            self.count += 1
            if self.count == self.failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return self.real(*args, **kwargs)


@pytest.fixture
def troubled(packages, monkeypatch) -> Callable[..., tuple[int, int]]:
    """Trains into a folder while the n-th call of one function fails; gives the exit code, and the number of calls."""

    def train(runs_dir: Path, mode: str, call: str, failing: int | None) -> tuple[int, int]:
        runs_dir.mkdir()
        module, about = CALLS[call]
        name = call.rpartition(".")[2]
        with monkeypatch.context() as patch:
            faulty = FailingOnce(getattr(module, name), about, runs_dir, failing)
            patch.setattr(module, name, faulty)
            code = code_of("fit", "--data.path", str(packages), *whole(runs_dir, mode))
        return code, faulty.count

    return train


def whole(runs_dir: Path, mode: str) -> list[str]:
    return ["--runs-dir", str(runs_dir), *SMALL, *OPTIONS, "--diagnostics", mode]


def code_of(*argv: str) -> int:
    try:
        main([*argv])
    except SystemExit as end:
        return end.code
    return 0


def check_readable(run_dir: Path) -> None:
    """Everything under a final name, and nothing under another one."""
    run = repviz.open_run(run_dir)
    rows = [row["epoch"] for row in read_metrics(run_dir)]
    assert rows == list(range(len(rows)))
    for kind in run.kinds():
        assert all({"error", "message"} <= error.keys() for error in run.errors(kind).values())
        for epoch in run.epochs(kind):
            run.read(kind, epoch)
    for path in (run_dir / "checkpoints").iterdir():
        assert weights(run_dir, path.name)
    assert not list(run_dir.rglob(f"*{TEMPORARY_SUFFIX}"))


def check_completed(run_dir: Path) -> None:
    """``diagnose`` computes what is missing of every epoch that has a checkpoint."""
    assert code_of("diagnose", "--run-dir", str(run_dir)) == 0
    run = repviz.open_run(run_dir)
    assert len(checkpoint_epochs(run_dir)) >= EPOCHS
    for kind in KINDS:
        assert set(checkpoint_epochs(run_dir)) <= set(run.epochs(kind))
        assert not run.errors(kind).keys() & set(run.epochs(kind))
    assert pending_epochs(run_dir) == []


def check_after(code: int, said: str, runs_dir: Path, going_on: Iterable[str], reference: Path) -> None:
    """Training has ended well, or has not begun, or goes on from its newest checkpoint to where it would have been."""
    assert "Traceback" not in said
    if code == 2 and "training has ended" not in said:
        assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1
        assert list(runs_dir.iterdir()) == [], "the run has not begun"
        return
    (run_dir,) = runs_dir.iterdir()
    check_readable(run_dir)
    if code == 2:
        assert code_of("fit", *going_on, "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")) == 0
        check_readable(run_dir)
    assert code in (0, 2)
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(EPOCHS + 1))
    assert same_weights(weights(run_dir), weights(reference))
    check_completed(run_dir)


CASES = [
    *((call, "inline") for call in ("fsync", "replace", "link", "open", "io.open")),
    *(pytest.param(call, "inline", marks=soaking) for call in ("mkdir", "unlink")),
    *(pytest.param(call, "background", marks=soaking) for call in CALLS),
]


@pytest.mark.parametrize(("call", "mode"), CASES)
def test_whatever_call_fails_training_does_not_differ(call, mode, troubled, packages, tmp_path, capsys, times):
    code, calls = troubled(tmp_path / "untroubled", mode, call, None)
    (reference,) = (tmp_path / "untroubled").iterdir()
    assert code == 0
    assert calls
    capsys.readouterr()
    for failing in sorted({*np.linspace(1, calls, times(2, calls), dtype=int).tolist()}):
        runs_dir = tmp_path / str(failing)
        code, _ = troubled(runs_dir, mode, call, failing)
        going_on = ["--data.path", str(packages), *whole(runs_dir, mode)]
        check_after(code, capsys.readouterr().err, runs_dir, going_on, reference)
