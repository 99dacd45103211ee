"""A made run with maps, metrics and a sample, as large as one likes; as a program it goes on being trained.

python benchmarks/dashboard_parts/made_run.py RUN POINTS LAYERS FIRST_EPOCH SECONDS
"""

import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.store.artifacts import now, write_artifact
from repviz.store.metrics_table import write_metrics
from repviz.store.run_folder import identity, write_run_file
from repviz.store.sample_file import write_sample

METHODS = ("pca", "umap")
N_CLASSES = 20
_LIVE_EVERY = 1.0


class MadeRun:
    """Points that drift apart by class, smoothly in the epoch."""

    def __init__(self, path: Path, n_points: int, n_layers: int) -> None:
        """Args: the folder of the run, and its sizes; nothing is written yet."""
        rng = np.random.default_rng(0)
        self.path = path
        self.layers = ["input", *(f"block{k}" for k in range(1, n_layers - 1)), "logits"][:n_layers]
        self.labels = rng.integers(0, N_CLASSES, n_points)
        self.split = rng.choice(3, n_points, p=[0.75, 0.2, 0.05]).astype(np.int8)
        self.centers = rng.normal(size=(N_CLASSES, 2)) * 4
        self.noise = rng.normal(size=(n_layers, len(METHODS), n_points, 2))

    def begin(self) -> None:
        """The sample and a first ``run.json``."""
        self.path.mkdir(parents=True)
        n = len(self.labels)
        sample = {"id": np.array([f"point-{k:06d}" for k in range(n)]), "split": self.split, "label": self.labels}
        write_sample(self.path, xr.Dataset({name: ("sample", values) for name, values in sample.items()}))
        self.say("running", 0)

    def say(self, state: str, epoch: int) -> None:
        """``run.json``."""
        facts = {"state": state, "classes": [f"class {k}" for k in range(N_CLASSES)], "kinds": ["projection"]}
        progress = {"epoch": epoch, "step": 100 * epoch, "steps_per_epoch": 100}
        write_run_file(self.path, identity() | facts | {"max_epochs": 1000, "progress": progress, "started": now()})

    def coordinates(self, epoch: int) -> np.ndarray:
        """``(layer, method, sample, component)`` float32."""
        learned = 1 - np.exp(-epoch / 10)
        depth = np.linspace(0.2, 1, len(self.layers))[:, None, None, None]
        return (self.centers[self.labels] * depth * learned + self.noise).astype(np.float32)

    def write_epoch(self, epoch: int) -> None:
        """Metrics of all epochs so far, then the maps of this one."""
        rows = [
            {"epoch": e, "step": 100 * e, "val_loss": 3 / (e + 1), "val_accuracy": e / (e + 9)}
            for e in range(epoch + 1)
        ]
        write_metrics(self.path, rows)
        dataset = xr.Dataset(
            {
                "coordinates": (("layer", "method", "sample", "component"), self.coordinates(epoch)),
                "trustworthiness": (("layer", "method"), np.full((len(self.layers), len(METHODS)), 0.9)),
            },
            {"layer": self.layers, "method": list(METHODS)},
        )
        write_artifact(self.path, "projection", epoch, dataset, step=100 * epoch, version=1)


def main() -> None:
    """Write an epoch a second, for so many seconds."""
    path, n_points, n_layers, epoch, seconds = Path(sys.argv[1]), *map(int, sys.argv[2:6])
    run = MadeRun(path, n_points, n_layers)
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        run.write_epoch(epoch)
        run.say("running", epoch)
        epoch += 1
        time.sleep(_LIVE_EVERY)


if __name__ == "__main__":
    main()
