"""UMAP of one layer after training went on: repviz, from the previous epoch's map, beside umap-learn from scratch.

    python benchmarks/projection.py [--data FILE.npz] [--points 10000] [--repeats 5]

Trains a small MLP on real sentence embeddings, takes the penultimate activations at epochs 1, 2 and 10, and maps
epochs 2 and 10 in pairs of runs, side by side in this one process, everything compiled before.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from report.arguments import arguments, sentence
from report.record import Record, Row, times
from repviz.diagnostics.fidelity import rank_preservation, sampled_rows
from repviz.diagnostics.neighbors import nearest_neighbors
from repviz.diagnostics.pca import principal_axes, principal_scores
from repviz.diagnostics.umap_descent import warm_up
from repviz.diagnostics.umap_layout import first_layout, next_layout

EPOCHS = (1, 2, 10)
SETTINGS = {"n_neighbors": 15, "min_dist": 0.1, "seed": 0}
LEAST_RATIO, GREATEST_LOSS = 5.0, 0.01


def activations(data: Path, n_points: int) -> dict[int, np.ndarray]:
    """Penultimate activations ``(n_points, 256)`` of a 384-512-256-C MLP after some epochs of training."""
    with np.load(data) as arrays:
        x, y = torch.from_numpy(arrays["X_train_embed"]).float(), torch.from_numpy(arrays["y_train"]).long()
    scale = x.std(0)
    x = (x - x.mean(0)) / torch.where(scale > 1e-6, scale, 1.0)
    torch.manual_seed(0)
    blocks = [
        nn.Sequential(nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU(), nn.Dropout(0.2)) for a, b in ((384, 512), (512, 256))
    ]
    network = nn.Sequential(*blocks, nn.Linear(256, int(y.max()) + 1))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    chosen = torch.randperm(len(x))[:n_points]
    found = {}
    for epoch in range(1, max(EPOCHS) + 1):
        network.train()
        for rows in torch.randperm(len(x)).split(256):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
        if epoch in EPOCHS:
            network.eval()
            with torch.no_grad():
                found[epoch] = network[:2](x[chosen]).numpy()
    return found


def near(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest neighbours, as the projection finds them."""
    indices, distances = nearest_neighbors(torch.from_numpy(points), SETTINGS["n_neighbors"])
    return indices.numpy(), distances.numpy()


def trustworthiness(points: np.ndarray, found: np.ndarray) -> float:
    """On 2,000 of the points, ranked among all."""
    rows = sampled_rows(len(points), 2_000, 0, torch.device("cpu"))
    on_map, _ = nearest_neighbors(torch.from_numpy(found), SETTINGS["n_neighbors"], rows)
    return rank_preservation(torch.from_numpy(points), [on_map], rows)[0]


def from_scratch(points: np.ndarray) -> tuple[np.ndarray, float]:
    """umap-learn's map and its seconds; torch's number of threads, which umap-learn changes, is put back."""
    import umap

    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_jobs value 1 overridden")
        began = time.perf_counter()
        found = umap.UMAP(random_state=0).fit_transform(points)
        seconds = time.perf_counter() - began
    torch.set_num_threads(threads)
    return found, seconds


def chained(points: np.ndarray, before: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, float]:
    """repviz's map and its seconds, neighbours included."""
    began = time.perf_counter()
    found = next_layout(*near(points), *before, **SETTINGS)
    return found, time.perf_counter() - began


def before_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and map of the epoch before, from which the next one starts."""
    indices, distances = near(points)
    cloud = torch.from_numpy(points)
    start = principal_scores(cloud, principal_axes(cloud), 2).numpy()
    return indices, first_layout(indices, distances, start, **SETTINGS)


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when both bars are met."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--points", type=int, default=10_000)
    options = parser.parse_args(argv)
    points = activations(options.data, options.points)
    n = len(points[1])
    conditions = {"data": options.data.name, "torch threads": str(torch.get_num_threads()), "points": f"{n:,}"}
    record = Record("projection", "Projection", sentence(__doc__), conditions)
    warm_up()
    from_scratch(points[1])  # compiles: it takes another path below 4,096 points
    before = before_of(points[1])
    for epoch in EPOCHS[1:]:
        own, other, losses = [], [], []
        for _ in range(options.repeats):
            theirs, their_seconds = from_scratch(points[epoch])
            ours, our_seconds = chained(points[epoch], before)
            trusts = trustworthiness(points[epoch], theirs), trustworthiness(points[epoch], ours)
            own.append(our_seconds)
            other.append(their_seconds)
            losses.append(trusts[0] - trusts[1])
        what, peer = f"from epoch 1 to {epoch}", "umap-learn from scratch"
        record.add(times(what, own, other, peer=peer, bar=LEAST_RATIO))
        record.add(Row(f"{what}, trustworthiness below the peer's", tuple(losses), "", GREATEST_LOSS, "most", peer))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
