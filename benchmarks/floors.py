"""What the machine can do at most, and how far each part of repviz is from the least work that it has to do.

    python benchmarks/floors.py [--data FILE.npz] [--repeats 5] [--threads 2] [--epochs 3]

Measured: single-precision products of matrices, large and of the shapes of a training step; copies in memory; durable
writes. Then each part beside its floor, in turn: a training step of 384-512-256-20 beside its products alone; the next
epoch's projection beside the products that find neighbours; the landscape beside the products of its deeper layers; an
artifact beside a plain file of as many bytes that is flushed; handing an epoch over to the background beside a copy of
its weights. docs/performance.md explains what lies between.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch
import xarray as xr

from background import handing_over
from floors_parts.least_work import landscape_products, neighbor_products, step_operations, step_products
from floors_parts.machine_rates import copy_rate, durable_write, product_rate, seconds
from landscape_parts.ways import HIDDEN, N_CLASSES, N_FEATURES, repviz, scene
from projection import activations, before_of, chained
from report.arguments import arguments, sentence
from report.record import Record, Row, multiples
from repviz.diagnostics.neighbors import rows_at_once
from repviz.diagnostics.umap_descent import warm_up
from repviz.diagnostics.weight_plane import at_once
from repviz.store.artifacts import write_artifact
from training_parts.setting import Setting, rate, rows_of, without_excluded
from training_parts.through_repviz import quieten, through_repviz

WIDTHS = (N_FEATURES, *HIDDEN, N_CLASSES)
LARGE, BATCHES, RESOLUTION, N_ROWS, N_POINTS = 2048, (512, 64), 21, 1024, 10_000


def rates_of_the_machine(record: Record, repeats: int) -> None:
    """Rows on what there is at most."""
    shapes = {f"{LARGE} x {LARGE} by {LARGE} x {LARGE}": (LARGE, LARGE, LARGE)}
    shapes |= {f"{batch} x 384 by 384 x 512": (batch, N_FEATURES, HIDDEN[0]) for batch in BATCHES}
    for name, shape in shapes.items():
        found = tuple(product_rate(*shape) / 1e9 for _ in range(repeats))
        record.add(Row(f"product, {name}", found, "GFLOP/s"))
    record.add(Row("copy in memory, read and written", tuple(copy_rate() / 1e9 for _ in range(repeats)), "GB/s"))


def paired(ours: Callable[[], float], floor: Callable[[], float], repeats: int) -> tuple[list[float], list[float]]:
    """Both measured in turn."""
    pairs = [(ours(), floor()) for _ in range(repeats)]
    return [own for own, _ in pairs], [other for _, other in pairs]


def clocked(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def training_step(record: Record, data: Path, options) -> None:
    """Milliseconds of a step, epochs' ends shared out, beside its products."""
    n_rows = len(rows_of(options.data)["train"][0])
    for batch in BATCHES:
        setting = Setting(batch=batch, epochs=options.epochs)
        steps = setting.steps(n_rows) / setting.epochs

        def step(setting: Setting = setting, steps: float = steps) -> float:
            return 1e3 * n_rows / rate(n_rows, through_repviz(data, setting)) / steps

        products = step_products(WIDTHS, batch)
        own, least = paired(step, lambda products=products: 1e3 * seconds(products), options.repeats)
        record.add(multiples(f"training step, batch {batch}", own, least, "ms", peer="its products"))
        found = tuple(step_operations(WIDTHS, batch) / (1e6 * took) for took in own)
        record.add(Row(f"training step, batch {batch}: products' operations per second", found, "GFLOP/s"))


def projection(record: Record, options) -> None:
    """The next epoch's map beside the products of its neighbours."""
    points = activations(options.data, N_POINTS)
    n, width = points[1].shape
    warm_up()
    before = before_of(points[1])
    products = neighbor_products(n, width, rows_at_once(n))
    own, least = paired(lambda: chained(points[2], before)[1], lambda: clocked(products), options.repeats)
    record.add(multiples(f"projection of {n:,} points", own, least, peer="the neighbours' products"))


def landscape(record: Record, options) -> None:
    """A small grid beside the products of its deeper layers, in the blocks that repviz takes."""
    seen = scene(RESOLUTION, N_ROWS)
    chunk, rows = at_once(torch.device("cpu"), N_ROWS, seen.plane.first)
    products = landscape_products(WIDTHS, N_ROWS, chunk, rows)
    chunks = RESOLUTION**2 / chunk
    own, least = paired(lambda: clocked(lambda: repviz(seen)), lambda: chunks * seconds(products), options.repeats)
    what = f"landscape {RESOLUTION} x {RESOLUTION}, {N_ROWS:,} points"
    record.add(multiples(what, own, least, peer="the deeper layers' products"))


def artifact(record: Record, folder: Path, repeats: int) -> None:
    """An artifact as large as the maps of 15,000 points in five layers."""
    values = np.random.default_rng(0).normal(size=(5, 2, 15_000, 2)).astype(np.float32)
    dataset = xr.Dataset({"coordinates": (("layer", "method", "sample", "component"), values)})
    path = write_artifact(folder, "projection", 0, dataset, step=0, version=1)
    content = path.read_bytes()
    own, least = paired(
        lambda: 1e3 * clocked(lambda: write_artifact(folder, "projection", 1, dataset, step=1, version=1)),
        lambda: 1e3 * durable_write(folder, content),
        repeats,
    )
    what = f"an artifact of {len(content) / 1e6:.1f} MB"
    record.add(multiples(what, own, least, "ms", peer="a flushed file of as many bytes"))
    record.add(Row("durable write", tuple(len(content) / 1e3 / took for took in least), "MB/s"))


def main(argv: list[str] | None = None) -> int:
    """Measure and print; there is no bar to miss."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    quieten()
    conditions = {"data": options.data.name, "torch threads": str(options.threads)}
    record = Record("floors", "Floors", sentence(__doc__), conditions)
    rates_of_the_machine(record, options.repeats)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training_step(record, without_excluded(options.data, folder), options)
        projection(record, options)
        landscape(record, options)
        artifact(record, folder, options.repeats)
    n, submitting, copying = handing_over(50_000, options.repeats)
    what, peer = f"handing {n / 1e6:.0f} million parameters over", "a copy of them"
    record.add(multiples(what, submitting, copying, "ms", peer=peer))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
