"""Damage to an artifact or a checkpoint is noticed, whatever bit it is, and no damaged file harms who reads it."""

import random
from pathlib import Path

import pytest
import torch

from repviz.errors import UserError
from repviz.store.errors import DamagedFileError, NewerFormatError
from repviz.store.hdf5 import describe_dataset, read_dataset, write_dataset
from repviz.training.checkpoint_io import DurableCheckpointIO
from repviz.weights import checkpoint_at
from tests.reliability.files import dataset, is_whole


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


def test_mutants_without_a_seal_are_damage_or_read_and_hang_nobody(content, tmp_path, times):
    """As of a writer that knows no seal, or one that means harm: they are read in a process with limits."""
    random_ = random.Random(1)
    path = tmp_path / "mutant.h5"
    for _ in range(times(5, 1_000)):
        mutant = bytearray(512) + bytearray(content[512:])
        for _ in range(random_.randint(1, 20)):
            mutant[random_.randrange(512, len(mutant))] = random_.randrange(256)
        path.write_bytes(mutant[: random_.choice((len(mutant), random_.randrange(512, len(mutant))))])
        with pytest.raises((DamagedFileError, NewerFormatError)):
            read_dataset(path)
