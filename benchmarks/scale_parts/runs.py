"""More runs in the folder: listing them, the page of all runs, and what a page that is open asks all the time."""

import shutil
import tempfile
from pathlib import Path

from repviz.dashboards.app import create_app
from repviz.store.listing import table as listing
from scale_parts.costs import Table
from scale_parts.epochs import made

SIZES = (1, 10, 100, 1_000)
EPOCHS = 30


def measure(table: Table, sizes: tuple[int, ...] = SIZES) -> None:
    """Of finished runs of ``EPOCHS`` epochs."""
    with tempfile.TemporaryDirectory() as first:
        run = made(Path(first) / "run", EPOCHS)
        run.say("finished", EPOCHS - 1)
        (run.path / "config.yaml").write_text("model:\n  width: 256\n  lr: 0.001\n")
        for n in sizes:
            with tempfile.TemporaryDirectory() as folder:
                runs = Path(folder)
                for k in range(n):
                    copied(run.path, runs / f"20260101_{k:06d}")
                table.time("repviz runs", "run", n, lambda r=runs: listing(r), 2)
                client = create_app(runs).server.test_client()
                table.time("the first list of runs", "run", n, lambda c=client: c.get("/data/runs"), 1)
                table.time("a list of runs that are known", "run", n, lambda c=client: c.get("/data/runs"))
                table.note("the list of runs", "run", n, len(client.get("/data/runs").data), "B")
                table.time("the page of all runs", "run", n, lambda c=client: c.get("/data/table"), 1)
                table.time("the page of all runs, again", "run", n, lambda c=client: c.get("/data/table"))


def copied(run: Path, target: Path) -> None:
    """A run with the same tables and no artifacts: they are looked at only where a run is opened."""
    target.mkdir()
    for name in ("run.json", "metrics.csv", "config.yaml"):
        shutil.copyfile(run / name, target / name)
