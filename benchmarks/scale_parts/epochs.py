"""More epochs of one run: what lists them, draws them, and follows them while they are being written."""

import json
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

import repviz
from dashboard_parts.made_run import MadeRun
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.overview_routes import curves
from repviz.figures.geometry import PANELS
from repviz.store.artifacts import artifact_path, write_artifact
from repviz.store.metrics_table import COLUMNS, MetricsTable, read_metrics, write_metrics
from scale_parts.costs import Table
from scale_parts.served import RUN

SIZES = (10, 100, 1_000)
POINTS, LAYERS = 200, 5
SETTLES_S = 2.5
"""After which a folder that has not changed is not listed again."""
KINDS = ("projection", *(f"kind_{k}" for k in range(10)), "geometry")


def measure(table: Table, sizes: tuple[int, ...] = SIZES) -> None:
    """Of a run with as many kinds as a run with all diagnostics has."""
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run = made(Path(folder) / RUN, n)
            opened, rows = repviz.open_run(run.path), rows_of(n)
            growing = MetricsTable(rows)
            growing.write(run.path)
            follows = partial(_write_another, growing, run.path)
            table.time("write metrics.csv", "epoch", n, follows, recurring=True)
            table.time("read metrics.csv", "epoch", n, lambda p=run.path: read_metrics(p))
            table.time("list the epochs of a kind", "epoch", n, lambda o=opened: o.epochs("geometry"))
            table.time("run.history", "epoch", n, lambda o=opened: o.history("geometry"), 2)
            catalog = Catalog(Path(folder))
            manifests = Manifests(catalog, FileCache(1_000_000))
            overview = partial(curves, catalog.find(RUN), manifests, "light")
            table.time("curves of the overview", "epoch", n, overview)
            _polled(table, catalog, run, n)


def _polled(table: Table, catalog: Catalog, run: MadeRun, n: int) -> None:
    """A page that is open while the next epoch comes; what it costs must not depend on how many there were."""
    manifests = Manifests(catalog, FileCache(1_000_000), look_seconds=3600)
    known = manifests.of_run(catalog.find(RUN))
    time.sleep(SETTLES_S)
    table.note("the first manifest", "epoch", n, len(json.dumps(known)), "B")
    table.time("a poll without news", "epoch", n, lambda: manifests.of_run(catalog.find(RUN)), 5, recurring=True)
    add_epoch(run, n)
    write_metrics(run.path, rows_of(n + 1))
    news = manifests.since(known["signature"], manifests.of_run(catalog.find(RUN)))
    rows = manifests.rows(catalog.find(RUN))[news["metrics"]["kept"] :]
    brought = len(json.dumps(news)) + len(json.dumps(rows))
    table.note("a poll that brings an epoch", "epoch", n, brought, "B", recurring=True)


def _write_another(table: MetricsTable, path: Path) -> None:
    """What training does when an epoch has ended."""
    table.append(table.rows[-1] | {"epoch": len(table.rows)})
    table.write(path)


def rows_of(n: int) -> list[dict[str, float]]:
    """A table of ``n`` epochs with every column."""
    return [dict.fromkeys(COLUMNS, 1 / (epoch + 1)) | {"epoch": epoch, "step": 100 * epoch} for epoch in range(n)]


def made(path: Path, n: int) -> MadeRun:
    """A run of ``n`` epochs; its files are copies of the first epoch's."""
    run = MadeRun(path, POINTS, LAYERS)
    run.begin()
    run.write_epoch(0)
    values = {name: ("layer", np.random.default_rng(0).random(LAYERS)) for name in PANELS}
    for kind in KINDS[1:]:
        write_artifact(path, kind, 0, xr.Dataset(values, {"layer": run.layers}), step=0, version=1)
    for epoch in range(1, n):
        add_epoch(run, epoch)
    write_metrics(path, rows_of(n))
    run.say("running", n - 1)
    return run


def add_epoch(run: MadeRun, epoch: int) -> None:
    """One more file of each kind."""
    for kind in KINDS:
        shutil.copyfile(artifact_path(run.path, kind, 0), artifact_path(run.path, kind, epoch))
