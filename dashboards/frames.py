"""Projections as the browser gets them: a short JSON header, then 16-bit integers.

A frame holds one epoch and method, all layers. Layout: 4 bytes header length (little endian), the header (UTF-8 JSON,
padded with spaces to a multiple of 4), then int16 ``[layer][component][sample]``. Each layer is quantised in its own
range *of that epoch*, which the header tells as ``extents`` (x_min, x_max, y_min, y_max): the range over the whole run
may grow while it is being watched, and with its own range no frame ever has to be sent again. The page puts all
frames of a layer into one box (see ``manifest.extents``), so that equal places mean equal coordinates. The step is
1 / 65,534 of the larger side, far below a pixel. A missing value is -32,768.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from repviz.store.hdf5 import read_dataset

KIND = "projection"
MISSING = -32768
_STEPS = 32767
_SCORES = ("trustworthiness", "trustworthiness_chance", "continuity")
_VARIABLES = ("coordinates", "explained_variance_ratio", *_SCORES)


def read_frames(path: Path) -> dict[str, bytes]:
    """Frames of an artifact by method; see ``read_dataset`` for errors.

    Raises:
        ValueError: it is readable, but not a projection.
    """
    dataset = read_dataset(path, _VARIABLES)
    if "coordinates" not in dataset or dataset["coordinates"].dims != ("layer", "method", "sample", "component"):
        raise ValueError(f"{path} has no coordinates (layer, method, sample, component): it is not a projection")
    return {str(method): encode(dataset, str(method)) for method in dataset["method"].values}


def n_bytes(frames: dict[str, bytes]) -> int:
    """Memory that frames take."""
    return sum(len(frame) for frame in frames.values())


def encode(dataset: xr.Dataset, method: str) -> bytes:
    """The frame of one method."""
    chosen = dataset.sel({"method": method})
    coordinates = np.asarray(chosen["coordinates"].values, np.float32)
    extents = [extent(points) for points in coordinates]
    layers = [quantise(points, limits) for points, limits in zip(coordinates, extents, strict=True)]
    header = {
        "epoch": int(dataset.attrs.get("epoch", -1)),
        "method": method,
        "layers": [str(name) for name in dataset["layer"].values],
        "n": int(coordinates.shape[1]),
        "extents": extents,
        "explained": _explained(dataset) if method == "pca" else None,
        **{name: _finite(chosen[name].values) for name in _SCORES if name in chosen},
    }
    return with_header(header, np.stack(layers).astype("<i2").tobytes())


def with_header(header: dict[str, Any], content: bytes) -> bytes:
    """Length, header and content as one block; the content begins at a multiple of 4."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("utf-8")
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + content


def header_of(frame: bytes) -> dict[str, Any]:
    """The header of a block that ``with_header`` made."""
    return json.loads(frame[4 : 4 + int.from_bytes(frame[:4], "little")])


def for_points(frame: bytes, rows: np.ndarray) -> bytes:
    """The frame with other points: those of ``rows (n,)``, missing where they are negative; ``common`` says how many.

    Raises:
        ValueError: the frame has no such row.
    """
    header, there = header_of(frame), rows >= 0
    if rows.max(initial=-1) >= header["n"]:
        raise ValueError(f"the map has {header['n']} points, its sample more: they do not belong together")
    values = np.frombuffer(frame, "<i2", offset=4 + int.from_bytes(frame[:4], "little"))
    values = values.reshape(len(header["layers"]), 2, header["n"])
    found = np.full((*values.shape[:2], len(rows)), MISSING, "<i2")
    found[..., there] = values[..., rows[there]]
    return with_header(header | {"n": len(rows), "common": int(there.sum())}, found.tobytes())


def extent(points: np.ndarray) -> list[float]:
    """x_min, x_max, y_min, y_max of ``(n, 2)`` points; 0 for a component that has no finite value."""
    limits: list[float] = []
    for component in points.T:
        finite = component[np.isfinite(component)]
        limits += [float(finite.min()), float(finite.max())] if len(finite) else [0.0, 0.0]
    return limits


def quantise(points: np.ndarray, limits: list[float]) -> np.ndarray:
    """``(n, 2)`` points as int16 ``(2, n)``: ±32,767 is half the larger side away from the middle of ``limits``.

    Half the side is never 0, so that one point, or many at one place, lie in the middle.
    """
    x_min, x_max, y_min, y_max = limits
    middle = np.array([(x_min + x_max) / 2, (y_min + y_max) / 2], np.float64)
    half = max(x_max - x_min, y_max - y_min) / 2 or 1.0
    scaled = np.rint((points.astype(np.float64) - middle) / half * _STEPS)
    return np.where(np.isfinite(scaled), scaled, MISSING).astype(np.int16).T


def _finite(values: np.ndarray) -> list[float | None]:
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]


def _explained(dataset: xr.Dataset) -> list[list[float | None]] | None:
    if "explained_variance_ratio" not in dataset:
        return None
    return [_finite(row[:2]) for row in dataset["explained_variance_ratio"].values]
