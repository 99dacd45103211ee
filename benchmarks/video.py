"""Frames a second of a video, drawn and encoded, beside a Matplotlib figure that is saved per frame.

    python benchmarks/video.py [--points 5000] [--classes 20] [--repeats 5]

720p, one map with the curves beside it, H.264; both draw the same points and curves in this one process, everything
imported before.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from report.arguments import arguments, sentence
from report.record import Record, Row, rates
from repviz.exports.footage import over_epochs
from repviz.exports.motion import moments
from repviz.exports.video import VideoSettings, write_video
from repviz.run import open_run
from repviz.store.artifacts import write_artifact
from repviz.store.metrics_table import write_metrics
from repviz.store.run_folder import identity, write_run_file
from repviz.theme import class_colors

EPOCHS = 10
SAVED_FRAMES = 30
LEAST_RATE, LEAST_RATIO = 25.0, 4.0


def make_run(folder: Path, n_points: int, n_classes: int) -> Path:
    """A run with maps of ``n_points`` that drift apart by class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n_points)
    split = rng.choice(3, n_points, p=[0.7, 0.25, 0.05]).astype(np.int8)
    centers, noise = rng.normal(size=(n_classes, 2)) * 4, rng.normal(size=(n_points, 2))
    path = folder / "20260101_000000"
    path.mkdir()
    classes = [f"class {k}" for k in range(n_classes)]
    write_run_file(path, identity() | {"state": "finished", "classes": classes})
    rows = []
    for epoch in range(EPOCHS + 1):
        points = centers[labels] * (1 - np.exp(-epoch / 3)) + noise
        dataset = xr.Dataset(
            {
                "coordinates": (("layer", "method", "sample", "component"), points[None, None].astype(np.float32)),
                "trustworthiness": (("layer", "method"), [[0.95]]),
                "label": ("sample", labels),
                "split": ("sample", split),
                "class_name": ("class", np.array(classes)),
            },
            {"layer": ["penultimate"], "method": ["umap"]},
        )
        write_artifact(path, "projection", epoch, dataset, step=epoch, version=1)
        loss = 3 * np.exp(-epoch / 4)
        rows.append({"epoch": epoch, "step": epoch, "train_loss": loss, "val_loss": loss + 0.2})
        rows[-1] |= {"train_accuracy": 1 - loss / 4, "val_accuracy": 0.9 - loss / 4}
    write_metrics(path, rows)
    return path


def ours(run_dir: Path, out: Path) -> float:
    """Frames a second of ``write_video``, reading the run and closing the file included."""
    settings = VideoSettings(out=out)
    n = len(list(moments(EPOCHS + 1, settings.fps, settings.seconds_per_epoch)))
    began = time.perf_counter()
    write_video(run_dir, settings)
    return n / (time.perf_counter() - began)


def saved_figures(run_dir: Path, folder: Path) -> float:
    """Frames a second of a new figure per frame, saved as PNG: scatter, two panels of curves, legend."""
    run = open_run(run_dir)
    footage, metrics = over_epochs(run, ["penultimate"], None), run.metrics()
    colors = np.array(class_colors(len(footage.classes)))
    began = time.perf_counter()
    for number in range(SAVED_FRAMES):
        t = number / SAVED_FRAMES
        figure = Figure(figsize=(12.8, 7.2), dpi=100)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, width_ratios=(2, 1))
        axes = figure.add_subplot(grid[:, 0])
        points = footage.places[0, 0] * (1 - t) + footage.places[-1, 0] * t
        axes.scatter(points[:, 0], points[:, 1], s=20, c=colors[footage.labels])
        axes.legend(handles=[axes.plot([], [], "o", color=c)[0] for c in colors], labels=footage.classes, fontsize=6)
        for row, measure in enumerate(("loss", "accuracy")):
            curves = figure.add_subplot(grid[row, 1])
            for name in (f"train_{measure}", f"val_{measure}"):
                curves.plot(metrics["epoch"], metrics[name])
            curves.axvline(t * EPOCHS)
        figure.savefig(folder / f"{number:04d}.png")
    return SAVED_FRAMES / (time.perf_counter() - began)


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when both bars are met."""
    parser = arguments(__doc__)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=20)
    options = parser.parse_args(argv)
    conditions = {"points": f"{options.points:,}", "classes": str(options.classes)}
    record = Record("video", "Video", sentence(__doc__), conditions)
    own, other = [], []
    with tempfile.TemporaryDirectory() as folder:
        run_dir = make_run(Path(folder), options.points, options.classes)
        ours(run_dir, Path(folder) / "warm.mp4")  # imports, fonts
        for _ in range(options.repeats):
            other.append(saved_figures(run_dir, Path(folder)))
            own.append(ours(run_dir, Path(folder) / "film.mp4"))
    unit = "frames/s"
    record.add(Row("1280 x 720, H.264", tuple(own), unit, LEAST_RATE))
    record.add(
        rates("1280 x 720, H.264", own, other, unit, peer="a Matplotlib figure saved per frame", bar=LEAST_RATIO)
    )
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
