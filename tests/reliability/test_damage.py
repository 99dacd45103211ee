"""Damage to an artifact or a checkpoint is noticed, whatever bit it is, and no damaged file harms who reads it."""

import contextlib
import json
import logging
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE

import h5py
import numpy as np
import pytest
import torch
import xarray as xr

from repviz.errors import UserError
from repviz.store import hdf5, seal, unsealed
from repviz.store.errors import DamagedFileError, NewerFormatError
from repviz.store.hdf5 import describe_dataset, read_dataset, write_dataset
from repviz.store.sample_file import write_sample
from repviz.store.seal import USER_BLOCK
from repviz.training.checkpoint_io import DurableCheckpointIO
from repviz.weights import checkpoint_at
from tests.reliability.files import dataset, is_whole

log = logging.getLogger(__name__)
SLOW = 2
"""Processor seconds within which all but a few mutants are answered."""


@pytest.fixture
def content(tmp_path) -> bytes:
    write_dataset(tmp_path / "whole.h5", dataset(1), {"kind": "test", "epoch": 3})
    assert is_whole(read_dataset(tmp_path / "whole.h5"))
    return (tmp_path / "whole.h5").read_bytes()


def test_every_flipped_bit_is_noticed(content, tmp_path, times):
    path, noticed = tmp_path / "flipped.h5", 0
    bits = random.Random(0).sample(range(8 * 512, 8 * len(content)), times(1_000, 10_000))
    bits += [3, 8 * 20 + 1, 8 * 100, 8 * 511 + 7]  # in the seal itself, and in the bytes after it
    for bit in bits:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        for read in (read_dataset, describe_dataset):
            with pytest.raises(DamagedFileError, match=r"flipped\.h5"):
                read(path)
        noticed += 1
    assert noticed == len(bits)


def content_of(state: dict) -> tuple:
    """What a checkpoint says, to the last bit."""
    tensors = {name: tensor.numpy().tobytes() for name, tensor in state["state_dict"].items()}
    return tensors, state["epoch"], state["callbacks"]


def _mapped(path: Path) -> dict:
    with checkpoint_at(path) as state:
        return state


@pytest.mark.parametrize("read", [_mapped, DurableCheckpointIO().load_checkpoint])
def test_no_flipped_bit_of_a_checkpoint_becomes_another_weight(read, tmp_path, times):
    path = tmp_path / "whole.ckpt"
    state = {"state_dict": {"a": torch.randn(40, 9), "b": torch.arange(7)}, "epoch": 3, "callbacks": {"rows": [1, 2]}}
    DurableCheckpointIO().save_checkpoint(state, path)
    assert content_of(read(path)) == content_of(state)
    content, flipped, noticed = path.read_bytes(), tmp_path / "flipped.ckpt", 0
    bits = random.Random(0).sample(range(8 * len(content)), times(1_000, 10_000))
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        flipped.write_bytes(damaged)
        try:
            assert content_of(read(flipped)) == content_of(state), f"bit {bit}"  # a bit of padding, or of a date
        except UserError as error:
            noticed += "flipped.ckpt" in str(error)
    assert noticed > len(bits) / 4


OLDER = Path(__file__).parents[1] / "store" / "golden" / "format1.h5"
"""Of the format that had no seal, with strings of variable length, on which the library may hang."""
READER = """
import json, os, signal, sys, time
from pathlib import Path
from repviz.store import hdf5, unsealed

def reading(path):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        os._exit(unsealed._child(path, path.with_suffix(".copy")))
    finally:
        os._exit(1)

hdf5.read_with_the_library(Path(sys.argv[1]))  # which imports what it needs
for line in sys.stdin:
    pid = os.fork() or reading(Path(line.rstrip()))
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(2 * unsealed._SECONDS)
    _, status, used = os.wait4(pid, 0)
    signal.alarm(0)
    answer = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    print(json.dumps(answer), flush=True)
"""
"""Reads each file that is named to it as ``sealed_copy`` has it read, with the same limits: in a process for each,
which is forked and so begins in a hundredth of the time. Gives its exit status, the seconds of the processor and the
bytes that it took.
"""


def artifact(folder: Path) -> bytes:
    write_dataset(folder / "whole.h5", dataset(2, 500), {"kind": "test", "epoch": 3})
    return (folder / "whole.h5").read_bytes()


def sample(folder: Path) -> bytes:
    rows = np.arange(200)
    texts = {name: ("sample", np.array([f"{name} {row} \u65e5" for row in rows])) for name in ("id", "text", "split")}
    write_sample(folder, xr.Dataset(texts | {"index": ("sample", rows), "label": ("sample", rows % 3)}))
    return (folder / "sample.h5").read_bytes()


UNSEALED = {
    "artifact": lambda folder: bytes(USER_BLOCK) + artifact(folder)[USER_BLOCK:],
    "sample": lambda folder: bytes(USER_BLOCK) + sample(folder)[USER_BLOCK:],
    "of the first format": lambda folder: OLDER.read_bytes(),
}
"""Files without a seal, as of a writer that knows none, or one that means harm."""


def mutant(content: bytes, random_: random.Random, kept: int) -> bytes:
    """Bytes after the first ``kept`` changed, set to extremes, cut out or doubled, and now and then the end cut off."""
    changed = bytearray(content)
    for _ in range(random_.choice((1, 1, 3, 20))):
        at, edit = random_.randrange(kept, len(changed)), random_.randrange(10)
        if edit < 6:
            changed[at] = random_.randrange(256)
        elif edit < 8:
            changed[at : at + 4] = random_.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"])
        elif edit == 8:
            del changed[at : at + random_.randrange(1, 9)]
        else:
            changed[at:at] = changed[at : at + random_.randrange(1, 9)]
    return bytes(changed[: random_.randrange(kept, len(changed))] if random_.random() < 0.1 else changed)


@pytest.mark.parametrize("write", [artifact, sample])
def test_no_mutant_of_a_sealed_file_comes_to_the_library(write, tmp_path, times, monkeypatch):
    content, path, random_ = write(tmp_path), tmp_path / "mutant.h5", random.Random(2)
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("the library was to open it"))
    monkeypatch.setattr(hdf5, "sealed_copy", lambda _: pytest.fail("it was taken for one without a seal"))
    noticed, number = 0, times(500, 5_000)
    while noticed < number:
        path.write_bytes(changed := mutant(content, random_, kept=len(seal._MAGIC)))
        if changed == content:
            continue
        for read in (read_dataset, describe_dataset):
            with pytest.raises(DamagedFileError, match=r"mutant\.h5"):
                read(path)
        noticed += 1


@pytest.mark.parametrize("kind", UNSEALED)
def test_mutants_without_a_seal_are_read_or_refused_and_hang_nobody(kind, tmp_path, times):
    content, path, random_ = UNSEALED[kind](tmp_path), tmp_path / "mutant.h5", random.Random(1)
    for _ in range(times(2, 100)):
        path.write_bytes(mutant(content, random_, kept=0))
        began = time.monotonic()
        with contextlib.suppress(DamagedFileError, NewerFormatError):
            read_dataset(path)
        assert time.monotonic() - began < 2 * unsealed._SECONDS + 10  # to start and to end the child


@pytest.mark.parametrize("kind", UNSEALED)
def test_the_limits_end_whatever_a_mutant_without_a_seal_does_to_the_library(kind, tmp_path, times):
    content, random_ = UNSEALED[kind](tmp_path), random.Random(3)
    path, copy = tmp_path / "mutant.h5", tmp_path / "mutant.copy"
    most = unsealed._MEMORY[0] + unsealed._MEMORY[1] * 2 * len(content)
    answers, slow, largest = Counter(), 0, 0
    with subprocess.Popen([sys.executable, "-c", READER, str(OLDER)], stdin=PIPE, stdout=PIPE, text=True) as reader:
        for _ in range(times(30, 3_400)):
            path.write_bytes(mutant(content, random_, kept=0))
            copy.unlink(missing_ok=True)
            print(path, file=reader.stdin, flush=True)
            status, seconds, memory = json.loads(reader.stdout.readline())
            assert seconds < unsealed._SECONDS + 2
            assert memory < most
            if status == 0:
                with contextlib.suppress(DamagedFileError):
                    read_dataset(copy)
            else:
                assert isinstance(unsealed._failure(path, status, b"", b""), (DamagedFileError, NewerFormatError))
            answers[status] += 1
            slow += seconds > SLOW
            largest = max(largest, memory)
    assert reader.returncode == 0
    assert answers[unsealed._DAMAGED] > sum(answers.values()) / 4
    assert slow <= max(1, sum(answers.values()) / 200)
    log.info("%s: %s, %d over %d s, at most %.0f MB", kind, dict(answers), slow, SLOW, largest / 1e6)
