"""Linear probe of one layer: repviz beside scikit-learn's LogisticRegressionCV, on the same standardized activations.

    python benchmarks/probe.py [--data FILE.npz] [--points 10000] [--layer input|penultimate] [--repeats 5]

Two threads in both. repviz's probe does more than is compared here: its time includes the control on shuffled labels.
"""

import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import StandardScaler
from torch import nn

from report.arguments import arguments, sentence
from report.record import Record, Row, times
from repviz.diagnostics.probe import Probe
from repviz.snapshot import Sample, Snapshot

LEAST_RATIO, GREATEST_LOSS = 10.0, 0.5


def activations(data: Path, n_points: int, layer: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Train and val points of a layer with their labels; the network of ``penultimate`` is trained for five epochs."""
    with np.load(data) as arrays:
        found = {
            s: (arrays[f"X_{s}_embed"].astype(np.float32), arrays[f"y_{s}"].astype(np.int64)) for s in ("train", "val")
        }
    if layer == "penultimate":
        torch.manual_seed(0)
        x, y = (torch.from_numpy(part) for part in found["train"])
        shift, scale = x.mean(0), x.std(0).clamp_min(1e-6)
        blocks = [
            nn.Sequential(nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU()) for a, b in ((x.shape[1], 512), (512, 256))
        ]
        network = nn.Sequential(*blocks, nn.Linear(256, int(y.max()) + 1))
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
        for _ in range(5):
            for rows in torch.randperm(len(x)).split(256):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network((x[rows] - shift) / scale), y[rows]).backward()
                optimizer.step()
        with torch.no_grad():
            found = {s: (network[:2]((torch.from_numpy(x) - shift) / scale).numpy(), y) for s, (x, y) in found.items()}
    chosen = np.random.default_rng(0).permutation(len(found["train"][1]))[:n_points]
    return {"train": tuple(part[chosen] for part in found["train"]), "val": found["val"]}


def ours(points: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Accuracy and seconds of repviz."""
    sizes = [len(points[s][1]) for s in ("train", "val")]
    x, y = (np.concatenate([points[s][i] for s in ("train", "val")]) for i in (0, 1))
    n = sum(sizes)
    classes = tuple(str(k) for k in range(int(y.max()) + 1))
    sample = Sample(
        (), y, np.repeat(np.arange(2, dtype=np.int8), sizes), np.arange(n), np.arange(n).astype(str), classes
    )
    snapshot = Snapshot(0, 0, sample, {"layer": torch.from_numpy(x)}, torch.zeros(n, len(classes)))
    began = time.perf_counter()
    found = Probe().compute(snapshot)
    return float(found["accuracy"][0]), time.perf_counter() - began


def theirs(points: dict[str, tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Accuracy and seconds of LogisticRegressionCV."""
    began = time.perf_counter()
    scaler = StandardScaler().fit(points["train"][0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        model = LogisticRegressionCV(Cs=5, cv=5, max_iter=1000)
        model.fit(scaler.transform(points["train"][0]), points["train"][1])
    accuracy = model.score(scaler.transform(points["val"][0]), points["val"][1])
    return accuracy, time.perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when both bars are met."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--layer", choices=("input", "penultimate"), default="input")
    options = parser.parse_args(argv)
    torch.set_num_threads(2)
    points = activations(options.data, options.points, options.layer)
    n, width = points["train"][0].shape
    conditions = {"data": options.data.name, "layer": options.layer, "threads": "2"}
    conditions["points"] = f"{n:,} x {width} to fit on, {len(points['val'][1]):,} to score on"
    record = Record("probe", "Linear probe", sentence(__doc__), conditions)
    own, other, below = [], [], []
    for _ in range(options.repeats):
        accuracy, seconds = ours(points)
        reference, their_seconds = theirs(points)
        own.append(seconds)
        other.append(their_seconds)
        below.append(100 * (reference - accuracy))
    peer = "LogisticRegressionCV"
    record.add(times(f"a probe of {n:,} points", own, other, peer=peer, bar=LEAST_RATIO))
    record.add(Row("val accuracy below the peer's", tuple(below), "points", GREATEST_LOSS, "most", peer))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
