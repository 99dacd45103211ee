"""What training, landscape, projection, probe and artifacts cost as they grow, beside their peers; for the plots.

    python benchmarks/cost_against_size.py [--data FILE.npz] [--repeats 3] [--threads 2] [--only training probe]

Every point is the median of runs that alternate between repviz and its peer. Training: milliseconds of a step of
384-512-256 by its batch, ends of epochs shared out. Landscape: by grid points, on 1,024 rows. Projection: the next
epoch's map by points, beside umap-learn from scratch. Probe: by points, beside LogisticRegressionCV. Artifact: maps of
five layers, written, flushed and sealed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import torch

import probe as probes
import projection as projections
from dashboard_parts.made_run import MadeRun
from landscape_parts.ways import one_forward_per_point, repviz, scene
from report.arguments import arguments, sentence
from report.record import Curve, Record, number
from repviz.diagnostics.umap_descent import warm_up
from training_parts.hand_written import by_hand
from training_parts.setting import Setting, rate, rows_of, without_excluded
from training_parts.through_repviz import quieten, through_repviz

BATCHES = (64, 256, 1024, 4096)
GRIDS = (11, 21, 41)
POINTS = (1_000, 2_500, 5_000, 10_000)
WRITTEN = (1_000, 10_000, 100_000, 1_000_000)
Contestants = dict[str, Callable[[], float]]


def lines(sizes: Sequence[int], made: Callable[[int], Contestants], repeats: int) -> dict[str, list]:
    """Medians of what each contestant takes at each size, in turn."""
    found: dict[str, list] = {}
    for size in sizes:
        contestants = made(size)
        runs: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(repeats):
            for name, run in contestants.items():
                runs[name].append(run())
        for name, took in runs.items():
            found.setdefault(name, []).append((size, statistics.median(took)))
        print(f"  {size:,}: " + ", ".join(f"{name} {number(line[-1][1])}" for name, line in found.items()), flush=True)
    return found


def clocked(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def training(options: argparse.Namespace) -> Curve:
    """Milliseconds of a step."""
    rows = rows_of(options.data)
    n = len(rows["train"][0])
    with tempfile.TemporaryDirectory() as folder:
        data = without_excluded(options.data, Path(folder))

        def made(batch: int) -> Contestants:
            setting = Setting(batch=batch, epochs=3)
            steps = setting.steps(n) / setting.epochs
            return {
                "repviz fit": lambda: 1e3 * n / rate(n, through_repviz(data, setting)) / steps,
                "hand-written loop": lambda: 1e3 * n / rate(n, by_hand(rows, setting)) / steps,
            }

        found = lines(BATCHES, made, options.repeats)
    return Curve("Training step", "rows in a batch", "milliseconds", found)


def landscape(options: argparse.Namespace) -> Curve:
    """Seconds of a landscape."""

    def made(resolution: int) -> Contestants:
        seen = scene(resolution, 1024)
        return {
            "repviz": lambda: clocked(lambda: repviz(seen)),
            "a forward pass per point": lambda: clocked(lambda: one_forward_per_point(seen)),
        }

    found = lines(GRIDS, made, options.repeats)
    found = {name: [(size**2, cost) for size, cost in line] for name, line in found.items()}
    return Curve("Landscape", "grid points", "seconds", found)


def projection(options: argparse.Namespace) -> Curve:
    """Seconds of the next epoch's map."""
    warm_up()
    points = projections.activations(options.data, max(POINTS))

    def made(n: int) -> Contestants:
        before = projections.before_of(points[1][:n])
        return {
            "repviz": lambda: projections.chained(points[2][:n], before)[1],
            "umap-learn from scratch": lambda: projections.from_scratch(points[2][:n])[1],
        }

    sizes = [n for n in POINTS if n <= len(points[1])]
    return Curve("Projection of the next epoch", "points", "seconds", lines(sizes, made, options.repeats))


def probe(options: argparse.Namespace) -> Curve:
    """Seconds of a probe of the embeddings."""

    def made(n: int) -> Contestants:
        points = probes.activations(options.data, n, "input")
        return {
            "repviz": lambda: probes.ours(points)[1],
            "LogisticRegressionCV": lambda: probes.theirs(points)[1],
        }

    return Curve("Linear probe", "points to fit on", "seconds", lines(POINTS, made, options.repeats))


def artifact(options: argparse.Namespace) -> Curve:
    """Milliseconds of an epoch's maps on the disk."""
    with tempfile.TemporaryDirectory() as folder:

        def made(n: int) -> Contestants:
            run = MadeRun(Path(folder) / str(n), n, 5)
            run.begin()
            return {"repviz": lambda: 1e3 * clocked(lambda: run.write_epoch(0))}

        found = lines(WRITTEN, made, options.repeats)
    return Curve("Artifact with maps of five layers", "points", "milliseconds", found)


PARTS = {part.__name__: part for part in (training, landscape, projection, probe, artifact)}


def main(argv: list[str] | None = None) -> int:
    """Measure; there is no bar to miss."""
    parser = arguments(__doc__, repeats=3, data=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to measure")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    quieten()
    conditions = {"data": options.data.name, "torch threads": str(options.threads), "runs": str(options.repeats)}
    record = Record("cost_against_size", "Cost against size", sentence(__doc__), conditions)
    for name in options.only:
        print(name, flush=True)
        record.curves.append(PARTS[name](options))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
