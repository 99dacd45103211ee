"""A dataset survives the disk exactly, is readable by others, and damage is noticed."""

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from repviz.store.errors import DamagedFileError, NewerFormatError
from repviz.store.hdf5 import describe_dataset, read_dataset, write_dataset
from tests.store.sealing import seal_anew

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def dataset() -> xr.Dataset:
    random = np.random.default_rng(0)
    return xr.Dataset(
        {
            "coordinates": (
                ("layer", "sample", "component"),
                random.normal(size=(2, 50, 2)).astype(np.float32),
                {"long_name": "position on the map", "units": "1"},
            ),
            "correct": ("sample", random.random(50) < 0.5),
            "neighbors": (("sample", "k"), random.integers(0, 50, (50, 4)).astype(np.int32)),
            "text": ("sample", np.array([f"naïve {i} 日本" for i in range(50)])),
            "total": ((), np.float64(3.25)),
            "nothing": ("empty", np.zeros(0, np.float32)),
        },
        {"layer": ["input", "blöck1"], "label": ("sample", random.integers(0, 5, 50))},
        {"note": "größer", "scale": 2.5, "count": 3},
    )


def test_round_trip_is_exact_in_values_types_and_attributes(tmp_path, dataset):
    write_dataset(tmp_path / "a.h5", dataset, {"kind": "test"})
    found = read_dataset(tmp_path / "a.h5")
    xr.testing.assert_identical(found.drop_attrs(deep=False), dataset.drop_attrs(deep=False))
    assert {name: v.dtype.kind for name, v in found.variables.items()} == {
        name: v.dtype.kind for name, v in dataset.variables.items()
    }
    assert found.coordinates.dtype == np.float32
    assert found.attrs["note"] == "größer"
    assert found.attrs["scale"] == 2.5
    assert found.attrs["kind"] == "test"


def test_xarray_and_h5py_read_it_without_repviz(tmp_path, dataset):
    write_dataset(tmp_path / "a.h5", dataset, {})
    other = xr.load_dataset(tmp_path / "a.h5", engine="h5netcdf")
    np.testing.assert_array_equal(other.coordinates, dataset.coordinates)
    assert other.coordinates.dims == ("layer", "sample", "component")
    assert other.correct.dtype == bool
    assert "label" in other.coords
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["text"].asstr()[3] == "naïve 3 日本"


def test_only_the_asked_variables_are_read(tmp_path, dataset):
    write_dataset(tmp_path / "a.h5", dataset, {})
    found = read_dataset(tmp_path / "a.h5", ["correct"])
    assert set(found.data_vars) == {"correct"}
    np.testing.assert_array_equal(found.correct, dataset.correct)


def test_a_description_names_everything_and_reads_no_array(tmp_path, dataset):
    path = tmp_path / "a.h5"
    write_dataset(path, dataset, {})
    with h5py.File(path) as file:
        offset = file["coordinates"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)
    seal_anew(path)
    described = describe_dataset(path)
    assert set(described) == set(dataset.variables)
    for name, (dimensions, _, attributes) in described.items():
        assert dimensions == dataset[name].dims
        assert set(dataset[name].attrs) <= set(attributes)
    with pytest.raises(DamagedFileError):
        read_dataset(path)


def test_no_string_is_of_variable_length_and_every_array_has_a_checksum(tmp_path, dataset):
    write_dataset(tmp_path / "a.h5", dataset, {"kind": "test"})

    def check(name, item):
        if h5py.check_string_dtype(item.dtype):
            assert h5py.check_string_dtype(item.dtype).length is not None, name
        if item.ndim and item.size and not item.attrs.get("NAME", b"").startswith(b"This is a netCDF"):
            assert item.fletcher32, name
        for key in item.attrs:
            string = h5py.check_string_dtype(item.attrs.get_id(key).dtype)
            assert string is None or string.length is not None, (name, key)

    with h5py.File(tmp_path / "a.h5") as file:
        file.visititems(check)
        for key in file.attrs:
            string = h5py.check_string_dtype(file.attrs.get_id(key).dtype)
            assert string is None or string.length is not None, key


def test_a_flipped_bit_in_the_numbers_is_damage(tmp_path, dataset):
    path = tmp_path / "a.h5"
    write_dataset(path, dataset, {})
    content = bytearray(path.read_bytes())
    at = content.find(dataset.coordinates.values.tobytes())
    assert at > 0
    content[at + 100] ^= 4
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"a\.h5.*checksum"):
        read_dataset(path)
    with h5py.File(path) as file, pytest.raises(OSError, match="filter"):  # plain h5py notices it too
        file["coordinates"][()]
    seal_anew(path)
    with pytest.raises(DamagedFileError, match=r"a\.h5"):
        read_dataset(path)


@pytest.mark.parametrize("keep", [0, 10, 1000, 5000])
def test_a_truncated_file_is_damage(tmp_path, dataset, keep):
    path = tmp_path / "a.h5"
    write_dataset(path, dataset, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFileError):
        read_dataset(path)


def test_a_foreign_hdf5_file_is_damage_and_no_file_is_no_file(tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["x"] = np.arange(3)
    with pytest.raises(DamagedFileError, match="not a repviz file"):
        read_dataset(tmp_path / "b.h5")
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "c.h5")


def test_a_later_format_is_refused_naming_the_version_to_install(tmp_path, dataset):
    write_dataset(tmp_path / "a.h5", dataset, {"repviz_version": "9.9"})
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs["format_version"] = 99
    seal_anew(tmp_path / "a.h5")
    with pytest.raises(NewerFormatError, match=r"format 99.*repviz 9\.9"):
        read_dataset(tmp_path / "a.h5")


def test_an_attribute_that_hdf5_cannot_hold_is_an_error(tmp_path, dataset):
    with pytest.raises(TypeError, match="'bad' is a dict"):
        write_dataset(tmp_path / "a.h5", dataset, {"bad": {}})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", [1, 2])
def test_every_format_that_was_ever_written_is_read(version, dataset):
    """``golden/format1.h5`` was written by the code of that format, from this dataset."""
    found = read_dataset(GOLDEN / f"format{version}.h5")
    xr.testing.assert_identical(found.drop_attrs(deep=False), dataset.drop_attrs(deep=False))
    assert found.attrs["kind"] == "golden"


def test_a_file_whose_seal_was_taken_away_is_damage(tmp_path, dataset):
    path = tmp_path / "a.h5"
    write_dataset(path, dataset, {})
    path.write_bytes(bytes(512) + path.read_bytes()[512:])
    with pytest.raises(DamagedFileError, match="checksum of the whole file is gone"):
        read_dataset(path)


def test_a_small_file_that_claims_much_is_damage_and_takes_no_memory(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.attrs.update({"format": "repviz", "format_version": 2})
        file.create_dataset("x", shape=(256 << 20,), dtype="u1", chunks=(1 << 20,)).make_scale("x")
    seal_anew(path)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFileError, match="claims 268,435,456 bytes"):
            read_dataset(path)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
