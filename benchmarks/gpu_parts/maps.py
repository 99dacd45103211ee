"""Maps by UMAP whose layout runs on the device, beside umap-learn and beside TorchDR's own UMAP."""

import argparse
import importlib.util
import time

import torch
from sklearn.manifold import trustworthiness

from gpu_parts.made import N_CLASSES, snapshot
from gpu_parts.sizes import N_FEATURES
from report.record import Record, Row, times
from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.projection import Projection
from repviz.snapshot import Snapshot

JUDGED = 5_000
"""Points on which TorchDR's own map is judged: scikit-learn holds all their distances."""


def projection(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on the maps of one layer as wide as the data; without TorchDR, umap-learn's seconds alone."""
    epochs = {
        name: snapshot(sizes["probed"], (N_FEATURES,), options.device, noise)
        for name, noise in (("first epoch", 3.0), ("next epoch", 2.9))
    }
    there = importlib.util.find_spec("torchdr") is not None
    backends = (*(["torchdr"] if there else []), "umap-learn")
    by = {backend: Projection(methods=("umap",), umap_backend=backend) for backend in backends}
    for mapped in by.values():  # the libraries' own start
        mapped.compute(snapshot(10 * N_CLASSES, (N_FEATURES,), options.device))
    found = {(name, backend): ([], []) for name in epochs for backend in by}
    for _ in range(options.repeats):
        for backend, mapped in by.items():
            earlier = Earlier()
            for name, epoch in epochs.items():
                began = time.perf_counter()
                maps = mapped.compute(epoch, earlier)
                seconds, trust = found[name, backend]
                seconds.append(time.perf_counter() - began)
                trust.append(float(maps["trustworthiness"].item()))
                earlier = Earlier(first=maps, previous=maps)
    for name in epochs:
        what = f"UMAP of the {name}, {sizes['probed']:,} points, by "
        if not there:
            record.add(Row(f"{what}umap-learn (TorchDR is not installed)", tuple(found[name, "umap-learn"][0]), "s"))
            continue
        (own, ours), (other, theirs) = (found[name, backend] for backend in by)
        record.add(times(f"{what}TorchDR", own, other, peer="by umap-learn"))
        below = tuple(b - a for a, b in zip(ours, theirs, strict=True))
        record.add(Row(f"{what}TorchDR: trustworthiness below umap-learn's", below, "of 1"))
    if there:
        _beside_torchdr(record, epochs["first epoch"], found["first epoch", "torchdr"], options.repeats)


def _beside_torchdr(record: Record, seen: Snapshot, ours: tuple[list[float], list[float]], repeats: int) -> None:
    """Rows on repviz's first map, with its measures of fidelity, beside TorchDR's own UMAP without any."""
    from torchdr import UMAP

    points = seen.activations["layer0"]
    k = Projection().n_neighbors
    theirs, trust = [], []
    for number in range(repeats + 1):
        began = time.perf_counter()
        own = UMAP(n_neighbors=k, device=str(points.device), backend=None, random_state=0)
        layout = own.fit_transform(points)
        if points.device.type == "cuda":
            torch.cuda.synchronize()
        if number:  # the first is the library's own start
            theirs.append(time.perf_counter() - began)
            judged = slice(0, JUDGED)
            trust.append(trustworthiness(points[judged].cpu(), layout[judged].detach().cpu(), n_neighbors=k))
    what = f"first map by UMAP, {len(points):,} points"
    record.add(times(what, ours[0], theirs, peer="TorchDR's own UMAP"))
    record.add(Row(f"{what}: trustworthiness of TorchDR's own, of {min(JUDGED, len(points)):,}", tuple(trust), "of 1"))
