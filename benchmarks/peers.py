"""Packages that do some of the same: loss-landscapes, scikit-learn's MLPClassifier, skorch.

    python benchmarks/peers.py [--data FILE.npz] [--epochs 6] [--repeats 5] [--batches 512 64] [--resolution 41]

Landscape: the same network, rows and criterion, on the plane and at the points that ``loss_landscapes.random_plane``
draws; both give the same losses. Classifiers: 384-512-256 with ReLU, neither LayerNorm nor dropout (scikit-learn has
neither), Adam without weight decay at a constant learning rate, the same batches, epochs and single-precision rows, no
early stopping, a score on the val rows each epoch; whole epochs after the first are timed. ``repviz fit`` computes more
scores and writes its run. Peers come with the extra ``bench``; one that is not installed is named and left out.
"""

import os
import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import torch
from threadpoolctl import threadpool_limits

from landscape_parts.ways import farthest, repviz
from peers_parts.classifiers import WITHOUT_DECAY, by_scikit_learn, by_skorch
from report.arguments import arguments, sentence
from report.record import Record, Row, rates, times
from training_parts.epoch_times import EpochTimes
from training_parts.setting import Rows, Setting, rate, rows_of, without_excluded
from training_parts.through_repviz import quieten, through_repviz

AHEAD, SAME_LOSS, SAME_SCORE = 1.0, 1e-3, 2.0
N_POINTS = 1024


def installed(package: str, module: str, record: Record) -> bool:
    """Whether a peer is there; if not, the record says so."""
    if find_spec(module) is not None:
        return True
    record.not_measured += f"{', ' if record.not_measured else ''}{package} is not installed"
    return False


def landscape(record: Record, resolution: int, repeats: int) -> None:
    """Rows on loss-landscapes."""
    from peers_parts.loss_landscapes_plane import same_plane, theirs

    seen = same_plane(resolution, N_POINTS)
    own, other, off = [], [], []
    for _ in range(repeats):
        began = time.perf_counter()
        found = repviz(seen)
        own.append(time.perf_counter() - began)
        began = time.perf_counter()
        expected = theirs(seen, resolution)
        other.append(time.perf_counter() - began)
        off.append(farthest(found, expected.flatten().double()))
    peer = "loss-landscapes"
    record.add(times(f"landscape {resolution} x {resolution}", own, other, peer=peer, bar=AHEAD))
    record.add(Row("landscape, losses off the peer's, at most", tuple(off), "of them", SAME_LOSS, "most", peer))


def through_fit(data: Path, setting: Setting) -> tuple[list[float], float]:
    """``repviz fit`` with the settings that the peers have: moments, and the last val accuracy."""
    options = ("--model.schedule", "constant", "--model.weight_decay", str(WITHOUT_DECAY))
    return through_repviz(data, setting, *options), EpochTimes.scores[-1]


def classifiers(record: Record, rows: Rows, data: Path, setting: Setting, repeats: int, *, skorch: bool) -> None:
    """Rows on scikit-learn and skorch at one batch size."""
    runs = {
        "repviz": partial(through_fit, data, setting),
        "scikit-learn's MLPClassifier": partial(by_scikit_learn, rows, setting),
    }
    if skorch:
        runs["skorch's NeuralNetClassifier"] = partial(by_skorch, rows, setting)
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    scores: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            torch.manual_seed(0)
            moments, score = run()
            speeds[name].append(rate(len(rows["train"][0]), moments))
            scores[name].append(100 * score)
    own, own_scores = speeds.pop("repviz"), scores.pop("repviz")
    for name, found in speeds.items():
        what = f"training, batch {setting.batch}"
        record.add(rates(what, own, found, "samples/s", peer=name, bar=AHEAD))
        below = tuple(other - mine for other, mine in zip(scores[name], own_scores, strict=True))
        said = f"{what}, val accuracy below the peer's"
        record.add(Row(said, below, "points", SAME_SCORE, "most", name, tuple(own_scores), tuple(scores[name]), "%"))


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when repviz is ahead of every peer that is there."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[512, 64])
    parser.add_argument("--resolution", type=int, default=41)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    quieten()
    rows = rows_of(options.data)
    conditions = {
        "data": f"{options.data.name}, {len(rows['train'][0]):,} training rows",
        "epochs": str(options.epochs),
    }
    conditions |= {"threads": str(options.threads), "landscape": f"{N_POINTS:,} points"}
    record = Record("peers", "Other packages", sentence(__doc__), conditions)
    with threadpool_limits(options.threads), tempfile.TemporaryDirectory() as folder:
        if installed("loss-landscapes", "loss_landscapes", record):
            landscape(record, options.resolution, options.repeats)
        skorch = installed("skorch", "skorch", record)
        data = without_excluded(options.data, Path(folder))
        for batch in options.batches:
            setting = Setting(batch=batch, epochs=options.epochs, dropout=0.0, layer_norm=False)
            classifiers(record, rows, data, setting, options.repeats, skorch=skorch)
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
