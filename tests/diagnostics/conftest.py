"""What a real network makes of real data: the sample's activations at some epochs, trained once per session."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from repviz.snapshot import Sample, Snapshot

EPOCHS = (0, 1, 2, 10)
N_POINTS = 1_000


@pytest.fixture(scope="session")
def trained(packages: Path) -> dict[int, Snapshot]:
    """A two-block MLP on the real sample, looked at on 1,000 points at epochs 0, 1, 2 and 10."""
    with np.load(packages) as data:
        x, y = torch.from_numpy(data["X_train_embed"]).float(), torch.from_numpy(data["y_train"]).long()
    scale = x.std(0)
    x = (x - x.mean(0)) / torch.where(scale > 1e-6, scale, 1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = [nn.Sequential(nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU()) for a, b in ((384, 256), (256, 128))]
        network = nn.Sequential(*blocks, nn.Linear(128, 20))
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        chosen = torch.randperm(len(x))[:N_POINTS]
        found = {}
        for epoch in range(max(EPOCHS) + 1):
            if epoch in EPOCHS:
                found[epoch] = look(network, x[chosen], y[chosen], epoch)
            for rows in torch.randperm(len(x)).split(128):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
                optimizer.step()
    return found


@pytest.fixture(scope="session")
def trained_few(trained: dict[int, Snapshot]) -> dict[int, Snapshot]:
    """The same looks at every fourth of the points."""
    found = {}
    for epoch, snapshot in trained.items():
        parts = {id(points): points[::4] for points in snapshot.activations.values()}  # aliases stay aliases
        layers = {layer: parts[id(points)] for layer, points in snapshot.activations.items()}
        labels, classes = snapshot.sample.labels[::4], snapshot.sample.classes
        found[epoch] = make_snapshot(layers, labels, epoch=epoch, classes=classes)
    return found


def look(network: nn.Sequential, x: Tensor, y: Tensor, epoch: int) -> Snapshot:
    """The network's layers at ``x``; ``block2`` and ``penultimate`` are one tensor, as in a real snapshot."""
    with torch.no_grad():
        first = network[0](x)
        second = network[1](first)
        logits = network[2](second)
    layers = {"input": x, "block1": first, "block2": second, "penultimate": second, "logits": logits}
    return make_snapshot(layers, y.numpy(), epoch=epoch, classes=tuple(f"c{k}" for k in range(20)))


def make_snapshot(
    activations: dict[str, Tensor],
    labels: np.ndarray | None = None,
    *,
    epoch: int = 0,
    classes: tuple[str, ...] = ("a",),
) -> Snapshot:
    """A snapshot of given activations, all points from the train split."""
    last = list(activations.values())[-1]
    n = len(last)
    labels = np.zeros(n, np.int64) if labels is None else labels
    sample = Sample((), labels, np.zeros(n, np.int8), np.arange(n), np.arange(n).astype(str), classes)
    return Snapshot(epoch, epoch * 25, sample, activations, last)


def noisy(points: np.ndarray, share: float = 0.02, seed: int = 1) -> np.ndarray:
    """The points with Gaussian noise of ``share`` of every feature's standard deviation."""
    noise = np.random.default_rng(seed).normal(size=points.shape)
    return (points + share * points.std(0) * noise).astype(points.dtype)


def displacement(moved: np.ndarray, still: np.ndarray) -> float:
    """Mean distance that the points of a map have moved, in units of the map's RMS radius."""
    radius = np.sqrt(np.square(still - still.mean(0)).sum(1).mean())
    return float(np.linalg.norm(moved - still, axis=1).mean() / radius)


def umap_from_scratch(points: np.ndarray) -> np.ndarray:
    """umap-learn's own map; its numba threads change torch's number of threads, which is put back."""
    import umap

    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_jobs value 1 overridden")
        found = umap.UMAP(random_state=0).fit_transform(points)
    torch.set_num_threads(threads)
    return found
