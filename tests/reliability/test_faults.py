"""Whatever call of the system fails, a file is the old one or the new one."""

import builtins
import errno
import io
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from repviz.atomic import TEMPORARY_SUFFIX, remove_leftovers, replacing
from repviz.store.metrics_table import read_metrics
from repviz.training.checkpoint_io import DurableCheckpointIO
from tests.reliability.files import WRITERS
from tests.training.conftest import fit, weights  # noqa: F401

CALLS = ((os, "fsync"), (os, "replace"), (os, "open"), (builtins, "open"), (io, "open"))


class Faulty:
    """Counts calls of a function and lets one of them fail."""

    def __init__(self, real, failing):
        self.real, self.failing, self.count = real, failing, 0

    def __call__(self, *args, **kwargs):
        self.count += 1
        if self.count == self.failing:
            raise OSError(errno.EIO, "the disk is ill")
        return self.real(*args, **kwargs)


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize(("module", "name"), CALLS, ids=[f"{m.__name__}.{n}" for m, n in CALLS])
def test_the_nth_failing_call_leaves_the_old_or_the_new(what, module, name, tmp_path, monkeypatch):
    write, read = WRITERS[what]
    write(tmp_path, 1)
    with monkeypatch.context() as patch:
        counting = Faulty(getattr(module, name), None)
        patch.setattr(module, name, counting)
        write(tmp_path, 1)
    assert counting.count or module is not os, f"{what} is written without {name}"
    for number in range(1, counting.count + 1):
        write(tmp_path, 1)
        with monkeypatch.context() as patch, pytest.raises(OSError, match="the disk is ill"):
            patch.setattr(module, name, Faulty(getattr(module, name), number))
            write(tmp_path, 2)
        assert read(tmp_path) in (1, 2)
        assert not list(tmp_path.rglob(f"*{TEMPORARY_SUFFIX}"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the write that would do it fails, or writes a part."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", WRITERS)
def test_a_write_that_fails_at_any_byte_leaves_the_old(what, tmp_path):
    write, read = WRITERS[what]
    write(tmp_path, 2)
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    size = path.stat().st_size
    write(tmp_path, 1)
    old = path.read_bytes()
    for limit in sorted({0, 1, size - 1, *np.linspace(0, size - 1, 8, dtype=int).tolist()}):
        with files_of_at_most(limit), pytest.raises(OSError, match=r"File too large|errno = 27"):
            write(tmp_path, 2)
        assert path.read_bytes() == old, limit
        assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path], limit
    assert read(tmp_path) == 1
    with files_of_at_most(size):
        write(tmp_path, 2)
    assert read(tmp_path) == 2


def test_a_file_that_grows_too_large_keeps_the_system_s_reason(tmp_path):
    told, target = [], tmp_path / "a.ckpt"
    with files_of_at_most(50_000):
        DurableCheckpointIO(told.append).save_checkpoint({"small": 1}, target)
        assert not told
        DurableCheckpointIO(told.append).save_checkpoint({"weight": torch.zeros(100_000)}, target)
        with pytest.raises(OSError, match="File too large"):
            DurableCheckpointIO().save_checkpoint({"weight": torch.zeros(100_000)}, target)
    assert [error.errno for error in told] == [errno.EFBIG]
    assert DurableCheckpointIO().load_checkpoint(target) == {"small": 1}
    assert os.listdir(tmp_path) == ["a.ckpt"]


def test_a_full_disk_ends_no_training_and_it_is_written_again_when_there_is_room(fit, monkeypatch, capsys):  # noqa: F811
    real, failing = os.replace, []

    def full_for_a_while(source, target):
        epoch = "epoch_000002.ckpt" in str(target) or "epoch_000003.ckpt" in str(target)
        if epoch or (failing and "epoch_000004.ckpt" not in str(target)):
            failing.append(target)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        failing.clear()
        real(source, target)

    monkeypatch.setattr(os, "replace", full_for_a_while)
    run_dir = fit("--trainer.max_epochs", "5", "--early_stopping.enabled", "false")
    monkeypatch.undo()
    said = capsys.readouterr().err
    assert said.count("cannot be written (No space left on device); training goes on") == 1
    assert said.count("the run is written again") == 1
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(6))
    names = {path.name for path in (run_dir / "checkpoints").iterdir()}
    assert names == {*(f"epoch_{epoch:06d}.ckpt" for epoch in (0, 1, 4, 5)), "last.ckpt", "best.ckpt"}
    untroubled = fit("--trainer.max_epochs", "5", "--early_stopping.enabled", "false", name="untroubled")
    assert all((value == weights(untroubled)[name]).all() for name, value in weights(run_dir).items())


def test_what_the_dead_left_goes_and_what_the_living_write_stays(tmp_path):
    child = subprocess.Popen(["sleep", "60"])
    (tmp_path / "artifacts").mkdir()
    with replacing(tmp_path / "artifacts" / "mine.h5") as mine:
        mine.write_text("half")
        of_child = mine.with_name(mine.name.replace(f"-{os.getpid()}.", f"-{child.pid}."))
        of_child.write_text("half")
        elsewhere = mine.with_name(f".other.h5.00-elsewhere-{child.pid}{TEMPORARY_SUFFIX}")
        elsewhere.write_text("half")
        assert remove_leftovers(tmp_path) == []
        child.kill()
        child.wait()
        assert remove_leftovers(tmp_path) == [of_child]
        assert mine.exists()
        assert elsewhere.exists()
