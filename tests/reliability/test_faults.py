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

import repviz
from repviz.atomic import TEMPORARY_SUFFIX, remove_leftovers, replacing
from repviz.background.lane import LOG_FILE
from repviz.background.pending import PENDING, pending_epochs, put
from repviz.cli import main
from repviz.data.converting import convert
from repviz.data.messages import DataError
from repviz.data.npz import write_npz
from repviz.store.metrics_table import read_metrics
from repviz.training.checkpoint_io import DurableCheckpointIO
from tests.conftest import soaking
from tests.reliability.files import WRITERS, arrays, number_of_arrays
from tests.training.conftest import fit, same_weights, weights  # noqa: F401

CALLS = ((os, "fsync"), (os, "replace"), (os, "open"), (builtins, "open"), (io, "open"))
CALLS_OF_CONVERTING = (*CALLS, (os, "rename"), (os, "mkdir"))


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


@pytest.mark.parametrize("out", ["data", "data.npz"])
@pytest.mark.parametrize(
    ("module", "name"), CALLS_OF_CONVERTING, ids=[f"{m.__name__}.{n}" for m, n in CALLS_OF_CONVERTING]
)
def test_the_nth_failing_call_leaves_the_old_or_the_new_data(out, module, name, tmp_path, monkeypatch):
    for number in (1, 2):
        write_npz(arrays(number), tmp_path / f"{number}.npz")
    here = tmp_path / "here"
    here.mkdir()

    def converted(number: int, failing: int | None) -> int:
        with monkeypatch.context() as patch:
            faulty = Faulty(getattr(module, name), failing)
            patch.setattr(module, name, faulty)
            convert(tmp_path / f"{number}.npz", here / out, overwrite=True)
        return faulty.count

    converted(1, None)
    for failing in range(1, converted(1, None) + 1):
        converted(1, None)
        try:
            converted(2, failing)
        except DataError:
            assert number_of_arrays(here / out) in (1, 2)
            assert os.listdir(here) == [out]
        else:  # it was tried again, or the old folder could not be taken away
            assert number_of_arrays(here / out) == 2


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


LOOKED_AT = [
    *("--sample.size", "60", "--sample.excluded", "0", "--projection.enabled", "false", "--geometry.enabled", "true"),
    *("--trainer.max_epochs", "5", "--early_stopping.enabled", "false", "--background.nice", "0"),
]
MODES = ("off", *(pytest.param(mode, marks=soaking) for mode in ("inline", "background")))


@pytest.mark.parametrize("mode", MODES)
def test_a_full_disk_ends_no_training_and_with_room_it_is_written_again(mode, fit, monkeypatch, capsys):  # noqa: F811
    real, failing = os.replace, []

    def full_for_a_while(source, target):
        epoch = "epoch_000002.ckpt" in str(target) or "epoch_000003.ckpt" in str(target)
        if epoch or (failing and "epoch_000004.ckpt" not in str(target)):
            failing.append(target)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        failing.clear()
        real(source, target)

    monkeypatch.setattr(os, "replace", full_for_a_while)
    run_dir = fit(*LOOKED_AT, "--diagnostics", mode)
    monkeypatch.undo()
    said = capsys.readouterr().err
    assert said.count("cannot be written (No space left on device); training goes on") == 1
    assert said.count("the run is written again") == 1
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(6))
    names = {path.name for path in (run_dir / "checkpoints").iterdir()}
    assert names == {*(f"epoch_{epoch:06d}.ckpt" for epoch in (0, 1, 4, 5)), "last.ckpt", "best.ckpt"}
    assert same_weights(weights(run_dir), weights(fit(*LOOKED_AT, name="untroubled")))
    if mode != "off":
        run = repviz.open_run(run_dir)
        assert run.epochs("geometry") == [0, 1, 5], "epoch 4 has a checkpoint, but its row could not be written at once"
        main(["diagnose", "--run-dir", str(run_dir)])
        assert run.epochs("geometry") == [0, 1, 4, 5]


def test_what_cannot_be_handed_over_ends_neither_training_nor_looking(fit, monkeypatch, capsys):  # noqa: F811
    replace, unlink, opened = os.replace, os.unlink, io.open

    def full(source, target):
        if PENDING in str(target) and target.name in ("epoch_000002.ckpt", "epoch_000003.ckpt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    def read_only(path, **kwargs):
        if str(path).endswith(f"{PENDING}/epoch_000001.ckpt"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        unlink(path, **kwargs)

    def without_a_log(path, *args, **kwargs):
        if str(path).endswith(LOG_FILE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(os, "unlink", read_only)
    monkeypatch.setattr(io, "open", without_a_log)
    run_dir = fit(*LOOKED_AT, "--diagnostics", "background")
    monkeypatch.undo()
    said = capsys.readouterr().err
    assert said.count("the run cannot be written (No space left on device); training goes on") == 1
    assert said.count("the run is written again") == 1
    assert said.count(f"what the background worker says is lost: {LOG_FILE} cannot be opened (No space left") == 1
    assert said.count(f"2 epochs have not been looked at; 'repviz diagnose --run-dir {run_dir}' does it") == 1
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert run.epochs("geometry") == run.epochs("prediction") == [0, 1, 4, 5]
    assert pending_epochs(run_dir) == [1], "it could not be let go"
    assert same_weights(weights(run_dir), weights(fit(*LOOKED_AT, name="untroubled")))
    main(["diagnose", "--run-dir", str(run_dir)])
    assert run.epochs("geometry") == run.epochs("prediction") == list(range(6))
    assert pending_epochs(run_dir) == []


def test_weights_that_wait_are_whole_or_not_there_where_handing_over_copies(tmp_path, monkeypatch):
    def without_links(source, target, **kwargs):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", without_links)
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(bytes(100_000))
    with files_of_at_most(50_000), pytest.raises(OSError, match="File too large"):
        put(tmp_path, 3, checkpoint)
    assert list((tmp_path / PENDING).iterdir()) == []
    assert put(tmp_path, 3, checkpoint).read_bytes() == checkpoint.read_bytes()


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
