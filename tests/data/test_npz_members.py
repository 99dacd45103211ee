"""Hostile, cut off and mutated files: refused by their headers, without a crash, in little time and memory."""

import io
import random
import time
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest

from repviz.data.npz import read_npz
from repviz.data.npz_members import NpzReader
from repviz.errors import DataError
from tests.data.npz_samples import npy_bytes, npy_claiming, save, save_with_member, tiny_arrays

SECONDS, BYTES = 1.0, 20 << 20
"""What reading a hostile file of a few kilobytes may cost at most; of mutants it is the processor's seconds."""


def refused(path) -> str:
    """The error that reading ``path`` raises, at little cost."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(DataError) as caught:
            read_npz(path)
        assert time.perf_counter() - start < SECONDS
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    return str(caught.value)


def test_zip_bomb(tmp_path):
    header = npy_claiming("<f4", (300 << 18, 1), b"")
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("X_train_embed.npy", "w") as stream:
            stream.write(header)
            for _ in range(300):
                stream.write(bytes(1 << 20))
        for key in ("X_val_embed", "y_train", "y_val", "classes"):
            archive.writestr(f"{key}.npy", npy_bytes(tiny_arrays()[key]))
    assert path.stat().st_size < 2 << 20
    assert "X_train_embed: expands from" in refused(path)


def test_uniform_data_of_ordinary_size_is_no_bomb(tmp_path):
    arrays = tiny_arrays() | {"X_train_embed": np.zeros((6, 200_000), np.float32)}
    arrays |= {"X_val_embed": np.zeros((4, 200_000)), "X_excl": np.zeros((2, 200_000))}
    np.savez_compressed(tmp_path / "zeros.npz", **arrays)
    assert read_npz(tmp_path / "zeros.npz").n_features == 200_000


def test_compressed_claim_of_more_than_the_file_can_hold(tmp_path):
    """The zip's directory and the header agree on 10**12 numbers; only compression's limit tells that they lie."""
    header = npy_claiming("<f4", (10**12, 1), b"")
    path = save_with_member(tmp_path / "data.npz", "X_train_embed", header, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    claimed = zipfile.ZipInfo("X_train_embed.npy")
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("X_train_embed.npy")
        claimed.compress_size, claimed.CRC, claimed.header_offset = info.compress_size, info.CRC, info.header_offset
    at = content.rindex(b"X_train_embed.npy") - 46
    zip64 = b"\x01\x00\x08\x00" + (4 * 10**12 + len(header)).to_bytes(8, "little")
    content[at + 24 : at + 28] = b"\xff\xff\xff\xff"
    content[at + 30 : at + 32] = len(zip64).to_bytes(2, "little")
    content[at + 46 + 17 : at + 46 + 17] = zip64
    end = content.rindex(b"PK\x05\x06")
    size = int.from_bytes(content[end + 12 : end + 16], "little") + len(zip64)
    content[end + 12 : end + 16] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert "X_train_embed: claims 3.6 TiB in" in refused(path)


@pytest.mark.parametrize("compressed", [False, True])
def test_file_cut_off_anywhere(tmp_path, compressed):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **tiny_arrays())
    content = buffer.getvalue()
    path = tmp_path / "cut.npz"
    for n_bytes in np.linspace(0, len(content) - 1, 20).astype(int):
        path.write_bytes(content[:n_bytes])
        assert refused(path).startswith(f"{path}: ")


def test_member_cut_off_behind_a_whole_directory(tmp_path):
    """The last bytes of an array are missing and everything after it moved up, as a bad copy leaves it."""
    content = save(tmp_path / "whole.npz", tiny_arrays()).read_bytes()
    at = content.index(tiny_arrays()["X_train_embed"].tobytes())
    (tmp_path / "cut.npz").write_bytes(content[: at + 10] + content[at + 20 :])
    refused(tmp_path / "cut.npz")


def mutate(data: bytearray, random_: random.Random) -> None:
    """One random edit: a byte changed, bytes removed, inserted, set to extremes or doubled."""
    at = random_.randrange(len(data))
    edit = random_.randrange(5)
    if edit == 0:
        data[at] = random_.randrange(256)
    elif edit == 1 and len(data) > 60:
        del data[at : at + random_.randrange(1, 40)]
    elif edit == 2:
        data[at:at] = random_.randbytes(random_.randrange(1, 9))
    elif edit == 3:
        data[at : at + 4] = random_.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"])
    else:
        start = random_.randrange(len(data))
        data[at:at] = data[start : start + random_.randrange(1, 30)]


def survives(path) -> bool:
    """Whether ``path`` can be read, at little cost; else the error must be one short DataError that names the file."""
    message = None
    tracemalloc.start()
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_npz(path)
    except DataError as error:
        message = str(error)
    finally:
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < BYTES
    assert message is None or (str(path) in message and message.count("\n") == 1)
    return message is None


@pytest.mark.parametrize("compressed", [False, True])
def test_mutated_files(tmp_path, compressed, times):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **tiny_arrays())
    random_ = random.Random(compressed)
    number, read = times(500, 2_500), 0
    for _ in range(number):
        content = bytearray(buffer.getvalue())
        for _ in range(random_.choice([1, 1, 3])):
            mutate(content, random_)
        (tmp_path / "m.npz").write_bytes(content)
        read += survives(tmp_path / "m.npz")
    assert 0 < read < number, "the mutations are neither all harmless nor all fatal"


def test_mutated_members_behind_valid_checksums(tmp_path, times):
    arrays = tiny_arrays() | {
        "X_val_embed": np.asfortranarray(tiny_arrays()["X_val_embed"], dtype=np.float64),
        "classes": np.array(["ant", np.str_("bee"), np.int64(3)], dtype=object),
        "id_train": np.array(list("abcdef"), dtype=object),
        "recipe": np.array('{"a": 1}'),
    }
    members = {key: npy_bytes(array) for key, array in arrays.items()}
    random_ = random.Random(0)
    number, read = times(1_000, 5_000), 0
    for _ in range(number):
        changed = {key: bytearray(member) for key, member in members.items()}
        key = random_.choice([*changed, *["classes", "id_train"] * 6])
        for _ in range(random_.choice([1, 1, 3])):
            mutate(changed[key], random_)
        with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
            for name, member in changed.items():
                archive.writestr(f"{name}.npy", bytes(member))
        read += survives(tmp_path / "m.npz")
    assert 0 < read < number, "the mutations are neither all harmless nor all fatal"


SIZES = [0, 1, 3, 5, 7, 6 << 8, 10**6, 10**9, 10**12, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30, -1]
TYPES = ["<f4", ">f8", "<i8", "|b1", "<U5", "<U100000", "<U536870911", "|S1000000", "|V9", "|O", "<M8[ns]", "<c16"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_whose_headers_claim_other_sizes_and_types(tmp_path, compression, times):
    """Behind valid checksums; what they hold is as long as before, or as a claim of it is."""
    random_, arrays = random.Random(compression), tiny_arrays()
    number, read = times(500, 5_000), 0
    for _ in range(number):
        key = random_.choice(list(arrays))
        array = arrays[key]
        shape = list(array.shape) + random_.choice(([], [], [], [1], [random_.choice(SIZES)]))
        shape[random_.randrange(len(shape))] = random_.choice([*SIZES, *array.shape])
        kind = random_.choice([array.dtype.str] * 12 + TYPES)
        content = array.tobytes() + bytes(random_.choice([0, 0, 0, 40_000]))
        member = npy_claiming(kind, tuple(shape), content, fortran_order=random_.random() < 0.3)
        read += survives(save_with_member(tmp_path / "m.npz", key, member, compression))
    assert 0 < read < number, "the claims are neither all harmless nor all refused"


def test_reading_costs_little_more_memory_than_the_result(tmp_path):
    large = np.random.default_rng(0).normal(size=(60_000, 100))
    np.savez(tmp_path / "large.npz", X_embed=large)
    with NpzReader(tmp_path / "large.npz") as reader:
        tracemalloc.start()
        array = reader.read("X_embed", np.float32)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert array.nbytes == large.nbytes // 2
    assert peak < array.nbytes + (16 << 20)


def test_checksum_is_compared_for_every_array_that_is_read(tmp_path):
    """A changed checksum, with data and sizes intact, shows only if the data was read to its end."""
    path = save(tmp_path / "data.npz", tiny_arrays())
    content = path.read_bytes()
    for key in tiny_arrays():
        checksum = zlib.crc32(npy_bytes(tiny_arrays()[key])).to_bytes(4, "little")
        assert content.count(checksum) == 2
        path.write_bytes(content.replace(checksum, b"\x01\x02\x03\x04"))
        assert f'{key}: is damaged or cut off ("Bad CRC-32' in refused(path)
