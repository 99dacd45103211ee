"""Diagnostics on a GPU: the landscape and the probes with their bars, and the pieces of others beside the processor."""

import argparse
import time
from collections.abc import Callable

import torch

from gpu_parts.made import N_CLASSES, snapshot
from gpu_parts.sizes import N_FEATURES
from landscape_parts.ways import farthest, one_forward_per_point, repviz, scene
from report.record import Record, Row, times
from repviz.diagnostics.fidelity import rank_preservation
from repviz.diagnostics.geometry import Geometry
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes
from repviz.diagnostics.probe import Probe
from repviz.diagnostics.similarity import Similarity
from repviz.snapshot import Snapshot, on_device

LANDSCAPE_BAR, PROBE_BAR, SAME = 20.0, 1.0, 1e-3
NEIGHBORS = 15


def landscape(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on the landscape."""
    seen = scene(sizes["resolution"], sizes["points"], options.device)
    repviz(scene(3, sizes["points"], options.device))  # the libraries' own start
    own, other, off = [], [], []
    for _ in range(options.repeats):
        began = time.perf_counter()
        found = repviz(seen)
        own.append(time.perf_counter() - began)
        began = time.perf_counter()
        expected = one_forward_per_point(seen)
        other.append(time.perf_counter() - began)
        off.append(farthest(found, expected))
    what = f"landscape {sizes['resolution']} x {sizes['resolution']}, {sizes['points']:,} points"
    bar = None if options.small else LANDSCAPE_BAR
    record.add(times(what, own, other, peer="a forward pass per grid point", bar=bar))
    record.add(Row("landscape, losses off the peer's, at most", tuple(off), "of them", SAME, "most"))


def probe(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Seconds of five probes."""
    widths = (N_FEATURES, *(sizes["width"],) * 3, N_CLASSES)
    looked_at = snapshot(sizes["probed"], widths, options.device)
    Probe().compute(snapshot(10 * N_CLASSES, (N_FEATURES,), options.device))  # the libraries' own start
    found = []
    for _ in range(options.repeats):
        began = time.perf_counter()
        Probe().compute(looked_at)
        found.append(time.perf_counter() - began)
    what = f"probes of {len(widths)} layers ({', '.join(map(str, widths))} units), {sizes['probed']:,} points"
    record.add(Row(what, tuple(found), "s", None if options.small else PROBE_BAR, "most"))


def pieces(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on what the maps and the measures of fidelity are made of, one layer, on the device and on the processor."""
    device = torch.device(options.device)
    here = snapshot(sizes["probed"], (N_FEATURES,), "cpu")
    there = on_device(here, device)
    near = nearest_neighbors(_points(here), NEIGHBORS)[0]
    parts: dict[str, Callable[[Snapshot], object]] = {
        "principal axes": lambda seen: principal_axes(_points(seen)),
        f"{NEIGHBORS} nearest neighbours": lambda seen: nearest_neighbors(_points(seen), NEIGHBORS),
        "ranks of neighbours (fidelity)": lambda seen: _fidelity(_points(seen), near),
        "similarity (CKA)": Similarity().compute,
        "geometry": Geometry().compute,
    }
    for name, compute in parts.items():
        on_the_device, on_the_processor = [], []
        for seen, seconds in ((there, []), *[(there, on_the_device), (here, on_the_processor)] * options.repeats):
            began = time.perf_counter()
            compute(seen)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        record.add(times(f"{name}, {sizes['probed']:,} points", on_the_device, on_the_processor, peer="the processor"))


def floor(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on what the device can do at its best: products in the ways that training may ask for."""
    n = sizes["side"]
    for name, dtype, precision in (
        ("single precision", torch.float32, "highest"),
        ("TF32", torch.float32, "high"),
        ("bfloat16", torch.bfloat16, "highest"),
        ("double precision", torch.float64, "highest"),
    ):
        torch.set_float32_matmul_precision(precision)
        a = torch.randn(n, n, device=options.device).to(dtype)
        rates = []
        for _ in range(options.repeats + 1):
            began = time.perf_counter()
            product = a @ a
            float(product[0, 0])  # which waits for it
            rates.append(2 * n**3 / (time.perf_counter() - began) / 1e12)
        record.add(Row(f"product of {n:,} x {n:,}, {name}", tuple(rates[1:]), "TFLOP/s"))
    torch.set_float32_matmul_precision("highest")


def _fidelity(points: torch.Tensor, near: torch.Tensor) -> list[float]:
    return rank_preservation(points, [near.to(points.device)])


def _points(seen: Snapshot) -> torch.Tensor:
    return seen.activations["layer0"]
