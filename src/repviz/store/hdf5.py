"""An xarray Dataset as one HDF5 file that plain h5py and xarray's h5netcdf both read.

Flipped bits are an error and not a picture: the file has a checksum of its whole (``seal``), and every array is one
chunk with a Fletcher-32 checksum of its own, which plain h5py checks too. Strings, attributes too, are of fixed length
(UTF-8): variable-length ones make the HDF5 library hang on some damaged files.
Dimensions are HDF5 dimension scales, booleans int8 with ``dtype="bool"``, as netCDF has it.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from repviz.atomic import write_bytes
from repviz.store.errors import DamagedFileError, NewerFormatError
from repviz.store.seal import USER_BLOCK, BrokenSealError, is_sealed, seal
from repviz.store.unsealed import sealed_copy

FORMAT_VERSION = 2
_UNSEALED = 1
"""The last format without a seal."""
_BARE_DIMENSION = "This is a netCDF dimension but not a netCDF variable."
_MOST_EXPANSION = 1100
"""Bytes of numbers for each byte of the file: what compression reaches at most (ours are not compressed)."""
_HIDDEN = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid"}
"""Attributes that are HDF5's own."""


def write_dataset(path: Path, dataset: xr.Dataset, attributes: Mapping[str, Any]) -> None:
    """Write ``dataset`` atomically to ``path``; ``attributes`` join the dataset's own at the root.

    The library writes to memory: of a full disk it makes an error of its own, and cannot close the file any more.

    Raises:
        OSError: the disk does not take it.
        TypeError: a variable or attribute is of a type that HDF5 does not hold.
    """
    content = io.BytesIO()
    with h5py.File(content, "w", userblock_size=USER_BLOCK) as file:
        _write(file, dataset, attributes)
    seal(content)
    write_bytes(path, content.getbuffer())


def read_dataset(path: Path, names: Iterable[str] | None = None) -> xr.Dataset:
    """Read a file that ``write_dataset`` wrote, whole or only the variables in ``names``, into memory.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it cannot be read, or a checksum does not fit.
        NewerFormatError: it was written in a later format.
    """
    wanted = None if names is None else set(names)
    return _from_file(path, lambda file: _read(file, wanted))


def describe_dataset(path: Path) -> dict[str, tuple[tuple[str, ...], np.dtype, dict[str, Any]]]:
    """Dimensions, dtype and attributes of every variable, no array being read; errors as for ``read_dataset``."""
    return _from_file(path, _describe)


def _write(file: h5py.File, dataset: xr.Dataset, attributes: Mapping[str, Any]) -> None:
    extra = sorted(str(name) for name in set(dataset.coords) - set(dataset.dims))
    root = dict(dataset.attrs) | dict(attributes) | {"format": "repviz", "format_version": FORMAT_VERSION}
    if extra:
        root["coordinates"] = " ".join(extra)
    _write_attributes(file, root)
    for name in dataset.dims:
        _write_dimension(file, str(name), dataset)
    for name, variable in dataset.variables.items():
        if name not in dataset.dims:
            _write_variable(file, str(name), variable)
            for axis, dimension in enumerate(variable.dims):
                file[str(name)].dims[axis].attach_scale(file[str(dimension)])


def read_with_the_library(path: Path) -> xr.Dataset:
    """Read a whole file of which nothing is known; ``read_dataset`` does so only in a process of its own.

    Raises:
        DamagedFileError: it cannot be read, or its format is one that has a seal.
        NewerFormatError: it was written in a later format.
    """

    def read(file: h5py.File) -> xr.Dataset:
        dataset = _read(file, None)
        if int(file.attrs["format_version"]) > _UNSEALED:
            raise ValueError("the checksum of the whole file is gone")
        return dataset

    return _opened(path, path, read)


def _from_file(path: Path, read: Callable[[h5py.File], Any]) -> Any:
    try:
        sealed = is_sealed(path)
    except FileNotFoundError:
        raise
    except (OSError, BrokenSealError) as error:
        raise DamagedFileError(f"{path} cannot be read: {error}") from error
    if sealed:
        return _opened(path, path, read)
    with sealed_copy(path) as copy:
        return _opened(copy, path, read)


def _opened(file_path: Path, path: Path, read: Callable[[h5py.File], Any]) -> Any:
    try:
        with h5py.File(file_path, "r") as file:
            return read(file)
    except (FileNotFoundError, NewerFormatError):
        raise
    except Exception as error:  # what the libraries raise about content that somebody made up is of any type
        raise DamagedFileError(f"{path} cannot be read: {error}") from error


def _describe(file: h5py.File) -> dict[str, tuple[tuple[str, ...], np.dtype, dict[str, Any]]]:
    _root_attributes(file)
    return {
        name: (_dimensions(name, item), item.dtype, {key: _from_hdf5(value) for key, value in _visible(item)})
        for name, item in _items(file)
        if not _is_bare_dimension(item)
    }


def _items(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """The datasets of a file, none of whose numbers lie elsewhere or take far more memory than the file has bytes.

    HDF5 can fetch them from any file that the process may read, which a stranger's artifact has no business to do.

    Raises:
        ValueError: it holds anything else.
    """
    limit = _MOST_EXPANSION * file.id.get_filesize()
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r} points to another place or file; an artifact holds its own numbers")
        item = file[name]
        if not isinstance(item, h5py.Dataset):
            raise ValueError(f"{name!r} is a {type(item).__name__.lower()}, not an array")
        if item.external or item.is_virtual:
            raise ValueError(f"{name!r} points to another place or file; an artifact holds its own numbers")
        if item.nbytes > limit and not _is_bare_dimension(item):
            raise ValueError(f"{name!r} claims {item.nbytes:,} bytes in a file of {file.id.get_filesize():,}")
        yield name, item


def _root_attributes(file: h5py.File) -> dict[str, Any]:
    root = {key: _from_hdf5(value) for key, value in file.attrs.items()}
    if root.pop("format", None) != "repviz":
        raise ValueError("it is not a repviz file")
    version = int(root.pop("format_version"))
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{file.filename} has format {version}; this repviz reads up to {FORMAT_VERSION}. "
            f"It was written by repviz {root.get('repviz_version', '(unknown)')}: install that version or a later one."
        )
    return root


def _is_bare_dimension(item: h5py.Dataset) -> bool:
    return item.attrs.get("NAME", b"").startswith(_BARE_DIMENSION.encode())


def _dimensions(name: str, item: h5py.Dataset) -> tuple[str, ...]:
    return (name,) if item.is_scale else tuple(d[0].name.lstrip("/") for d in item.dims)


def _visible(item: h5py.Dataset) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in item.attrs.items() if key not in _HIDDEN]


def _read(file: h5py.File, names: set[str] | None) -> xr.Dataset:
    root = _root_attributes(file)
    extra = set(root.pop("coordinates", "").split())
    data, coordinates = {}, {}
    for name, item in _items(file):
        if _is_bare_dimension(item):
            continue
        if names is not None and name not in names and not item.is_scale and name not in extra:
            continue
        dimensions = _dimensions(name, item)
        target = coordinates if item.is_scale or name in extra else data
        target[name] = _read_variable(item, dimensions)
    return xr.Dataset(data, coordinates, root)


def _write_dimension(file: h5py.File, name: str, dataset: xr.Dataset) -> None:
    if name in dataset.variables:
        _write_variable(file, name, dataset.variables[name])
        file[name].make_scale(name)
    else:
        size = dataset.sizes[name]
        file.create_dataset(name, shape=(size,), dtype=">f4").make_scale(f"{_BARE_DIMENSION}{size:10d}")


def _write_variable(file: h5py.File, name: str, variable: xr.Variable) -> None:
    values = np.asarray(variable.values)
    attributes = dict(variable.attrs)
    if values.dtype.kind in "UO":
        values = np.char.encode(values.astype(str), "utf-8")
        values = values.astype(h5py.string_dtype("utf-8", max(values.dtype.itemsize, 1)))
    elif values.dtype.kind == "b":
        values, attributes["dtype"] = values.astype(np.int8), "bool"
    whole = {"chunks": values.shape, "fletcher32": True} if values.ndim and values.size else {}
    _write_attributes(file.create_dataset(name, data=values, **whole), attributes)


def _write_attributes(target: h5py.File | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    for key, value in attributes.items():
        if value is None:
            continue
        if isinstance(value, str):
            encoded = value.encode("utf-8")
            target.attrs.create(key, np.array(encoded, h5py.string_dtype("utf-8", max(len(encoded), 1))))
        elif isinstance(value, (bool, int, float, np.number, np.ndarray, np.bool_)):
            target.attrs[key] = value
        else:
            raise TypeError(f"attribute {key!r} is a {type(value).__name__}; use text, numbers or an array")


def _read_variable(item: h5py.Dataset, dimensions: tuple[str, ...]) -> xr.Variable:
    attributes = {key: _from_hdf5(value) for key, value in _visible(item)}
    values = item[()]
    if item.dtype.kind == "S":
        values = np.char.decode(np.asarray(values), "utf-8")
    elif attributes.pop("dtype", None) == "bool":
        values = np.asarray(values).astype(bool)
    return xr.Variable(dimensions, values, attributes)


def _from_hdf5(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if isinstance(value, np.generic) else value
