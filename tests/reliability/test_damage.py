"""Damage to an artifact is noticed, whatever bit it is, and no damaged file harms who reads it."""

import random

import pytest

from repviz.store.errors import DamagedFileError, NewerFormatError
from repviz.store.hdf5 import describe_dataset, read_dataset, write_dataset
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
