"""Training through ``repviz fit`` beside a hand-written loop, plain Lightning, and a per-row Dataset in Lightning.

    python benchmarks/training.py [--data FILE.npz] [--epochs 6] [--repeats 5] [--threads 2] [--batches 512 64]

384-512-256 on the embeddings, LayerNorm, dropout, fused AdamW, a learning rate that changes every step. Every
contestant trains on the same float32 rows and reports the same numbers each epoch: training loss, accuracy and
gradient norm; validation loss, accuracy, macro and confidence-weighted F1. ``repviz fit`` writes its run besides
(checkpoint, metrics, heartbeat); no diagnostics. Samples per second are those of whole epochs after the first, in one
process, in turn.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import torch

from report.arguments import arguments, sentence
from report.record import Record, rates
from training_parts.hand_written import by_hand
from training_parts.plain_lightning import Sliced, lightning, per_row
from training_parts.setting import Rows, Setting, rate, rows_of, without_excluded
from training_parts.through_repviz import quieten, through_repviz

BARS = {512: 0.92, 64: 0.70}
PER_ROW_BAR, PER_ROW_BATCH = 1.5, 64
BY_HAND, OURS, PLAIN, PER_ROW = "the hand-written loop", "repviz fit", "plain Lightning", "Lightning, per-row Dataset"


def contestants(rows: Rows, data: Path, setting: Setting) -> dict[str, Callable[[], list[float]]]:
    """What is run in turn at one batch size."""
    found: dict[str, Callable[[], list[float]]] = {
        BY_HAND: partial(by_hand, rows, setting),
        OURS: partial(through_repviz, data, setting),
        PLAIN: partial(lightning, rows, setting, Sliced),
    }
    if setting.batch == PER_ROW_BATCH:
        found[PER_ROW] = partial(lightning, rows, setting, per_row)
    return found


def report(record: Record, batch: int, found: dict[str, list[float]]) -> None:
    """Rows of one batch size."""
    unit = "samples/s"
    record.add(rates(f"batch {batch}", found[OURS], found[BY_HAND], unit, peer=BY_HAND, bar=BARS.get(batch)))
    record.add(rates(f"batch {batch}, plain Lightning itself", found[PLAIN], found[BY_HAND], unit, peer=BY_HAND))
    if PER_ROW in found:
        record.add(rates(f"batch {batch}", found[OURS], found[PER_ROW], unit, peer=PER_ROW, bar=PER_ROW_BAR))


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=list(BARS))
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    quieten()
    rows = rows_of(options.data)
    n = len(rows["train"][0])
    conditions = {"data": f"{options.data.name}, {n:,} training rows", "torch threads": str(options.threads)}
    record = Record("training", "Training", sentence(__doc__), conditions | {"epochs": str(options.epochs)})
    with tempfile.TemporaryDirectory() as folder:
        data = without_excluded(options.data, folder)
        for batch in options.batches:
            runs = contestants(rows, data, Setting(batch=batch, epochs=options.epochs))
            found: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(options.repeats):
                for name, run in runs.items():
                    torch.manual_seed(0)
                    found[name].append(rate(n, run()))
            report(record, batch, found)
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
