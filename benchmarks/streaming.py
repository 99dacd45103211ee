"""Training on more embeddings than one wants in memory: peak resident memory, rate, and the same metrics.

    python benchmarks/streaming.py [--gigabytes 6] [--subset-gigabytes 1] [--epochs 1] [--batch 512] [--repeats 5]

Makes a folder of class-dependent random embeddings, 384 wide, float32, in blocks, and a smaller one of the same kind.
Trainings, each in a process of its own, without diagnostics: the smaller one in memory and streamed, in turn, then
the large one streamed, once. Samples per second are those of training epochs alone (the first epoch in memory warms
up), and before each streamed epoch the folder is dropped from the system's cache of files, so that it comes from the
disk. Peak memory is the process's own (VmHWM), from start to end: checks, scaling, training, validation, and the
baseline.
Bars: under 2 GB on the large folder; at least 0.7 of the in-memory rate; a checkpoint has the same validation metrics
streamed as in memory, and the smaller trainings end within 0.01 of each other's accuracy. Six gigabytes take some
minutes; a smaller size is good for a first look, not for the bars.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, Trainer
from numpy.lib.format import open_memmap

from report.arguments import arguments, sentence
from report.record import Record, Row, rates

WIDTH, CLASSES, VAL_ROWS, BLOCK = 384, 20, 20_000, 65_536
MOST_GB, SHARE, ACCURACY_APART = 2.0, 0.7, 0.01
CHILD = "--child"
METRICS = ("val_loss", "val_accuracy", "val_f1_macro", "val_f1_confidence")


class EpochTimes(Callback):
    """Seconds of training in each epoch, without validation; the data comes from the disk each time if asked."""

    seconds: list[float] = []  # noqa: RUF012 - of the run under way, whoever made the callback
    cpu_seconds: list[float] = []  # noqa: RUF012
    from_disk: list[Path] = []  # noqa: RUF012

    def on_train_epoch_start(self, *_: object) -> None:
        for path in self.from_disk:
            forget(path)
        self._began = time.perf_counter(), time.process_time()

    def on_validation_start(self, trainer: Trainer, *_: object) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.seconds.append(time.perf_counter() - self._began[0])
            self.cpu_seconds.append(time.process_time() - self._began[1])


@dataclass(frozen=True)
class Trained:
    """What one training took and gave."""

    rate: float
    cpu_rate: float
    peak_gb: float
    metrics: dict[str, float]
    run_dir: Path


def forget(path: Path) -> None:
    """Drop a file from the system's cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def make(folder: Path, gigabytes: float) -> int:
    """A folder of arrays, as anyone would write it; gives the number of training rows."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=0.12, size=(CLASSES, WIDTH)).astype(np.float32)
    n_train = int(gigabytes * 1e9) // (4 * WIDTH)
    for split, n_rows in (("train", n_train), ("val", VAL_ROWS)):
        labels = rng.integers(0, CLASSES, n_rows)
        embeddings = open_memmap(folder / f"X_{split}_embed.npy", "w+", np.float32, (n_rows, WIDTH))
        for start in range(0, n_rows, BLOCK):
            part = embeddings[start : start + BLOCK]
            part[...] = rng.standard_normal(part.shape, np.float32) + centers[labels[start : start + BLOCK]]
        embeddings.flush()
        del embeddings
        np.save(folder / f"y_{split}.npy", labels)
    np.save(folder / "classes.npy", np.array([f"class {k}" for k in range(CLASSES)]))
    return n_train


def train(data: Path, runs_dir: Path, loading: str, epochs: int, options: argparse.Namespace) -> Trained:
    """Train in a process of its own."""
    said = in_child(
        "fit", "--data.path", str(data), "--data.loading", loading, "--data.batch_size", str(options.batch),
        "--data.use_tabular", "false", "--model.fusion", "none", "--model.hidden_dims", "[512, 256]",
        "--model.dropout", "0.3", "--diagnostics", "off", "--early_stopping.enabled", "false",
        # In memory the baseline is fitted on all rows, which takes minutes and is not what is measured.
        "--baseline.enabled", str(loading == "blocks").lower(), "--trainer.accelerator", "cpu",
        "--trainer.max_epochs", str(epochs), "--trainer.enable_progress_bar", "false",
        "--runtime.torch_threads", str(options.threads), "--trainer.callbacks+=__main__.EpochTimes",
        "--runs_dir", str(runs_dir),
    )  # fmt: skip
    found = json.loads(said.splitlines()[-1])
    (run_dir,) = runs_dir.iterdir()
    n_rows = len(np.load(data / "y_train.npy", mmap_mode="r"))
    rate, cpu_rate = (n_rows / statistics.median(found[n][1:] or found[n]) for n in ("seconds", "cpu_seconds"))
    return Trained(rate, cpu_rate, found["peak_gb"], metrics_of(run_dir), run_dir)


def in_child(*command: str) -> str:
    """Run ``repviz`` in a process of its own that knows this file's callback; gives what it says."""
    child = [sys.executable, __file__, CHILD, *command]
    return subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True).stdout


def run_here(command: list[str]) -> None:
    """What the child does: run, then say how long each epoch took and what memory was needed."""
    from repviz.cli import main as repviz

    if "blocks" in command and "--data.path" in command:
        EpochTimes.from_disk.extend(Path(command[command.index("--data.path") + 1]).glob("*.npy"))
    repviz(command)
    status = Path("/proc/self/status").read_text()
    (peak,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    times = {"seconds": EpochTimes.seconds, "cpu_seconds": EpochTimes.cpu_seconds}
    print(json.dumps(times | {"peak_gb": peak * 1024 / 1e9}))


def metrics_of(run_dir: Path) -> dict[str, float]:
    """Validation metrics of the last epoch."""
    head, *_, last = (run_dir / "metrics.csv").read_text().split()
    row = dict(zip(head.split(","), last.split(","), strict=True))
    return {name: float(row[name]) for name in METRICS}


def measured_again(trained: Trained, loading: str) -> dict[str, float]:
    """Validation metrics of the last checkpoint, with four decimals, measured by ``repviz validate``."""
    checkpoint = str(trained.run_dir / "checkpoints" / "last.ckpt")
    said = in_child("validate", "--ckpt-path", checkpoint, "--data.loading", loading)
    found = dict(line.split() for line in said.splitlines() if line.startswith(METRICS))
    return {name: float(found[name]) for name in METRICS}


def compare(folder: Path, options: argparse.Namespace, record: Record) -> None:
    """Train and note."""
    need = 1.2 * (options.gigabytes + options.subset_gigabytes) * 1e9
    free = shutil.disk_usage(folder).free
    if free < need:
        raise SystemExit(f"{folder} has {free / 1e9:.1f} GB free, and {need / 1e9:.1f} are needed; see --folder")
    large, small = folder / "large", folder / "small"
    print(f"{make(small, options.subset_gigabytes):,} and {make(large, options.gigabytes):,} training rows", flush=True)
    inside, outside = [], []
    for number in range(options.repeats):
        inside.append(train(small, folder / f"memory_{number}", "memory", options.epochs + 1, options))
        outside.append(train(small, folder / f"streamed_{number}", "blocks", options.epochs + 1, options))
    whole = train(large, folder / "whole", "blocks", options.epochs, options)
    memory, streamed = inside[0], outside[0]
    record.conditions |= {"rows": f"{len(np.load(large / 'y_train.npy', mmap_mode='r')):,}"}
    for name, found in (("streamed", outside), ("streamed, all of it", [whole] * len(inside))):
        ours, theirs = [trained.rate for trained in found], [trained.rate for trained in inside]
        record.add(rates(f"samples per second, {name}", ours, theirs, "samples/s", peer="in memory", bar=SHARE))
        ours, theirs = [trained.cpu_rate for trained in found], [trained.cpu_rate for trained in inside]
        what = f"samples per second of processor time, {name}"
        record.add(rates(what, ours, theirs, "samples/s", peer="in memory"))
    record.add(Row("peak resident memory, streamed, all of it", (whole.peak_gb,), "GB", MOST_GB, "most"))
    record.add(Row("peak resident memory, the smaller part in memory", (memory.peak_gb,), "GB"))
    there, again = measured_again(memory, "memory"), measured_again(memory, "blocks")
    different = sum(there[name] != again[name] for name in METRICS)
    record.add(Row("validation metrics of one checkpoint that differ", (float(different),), "metrics", 0, "most"))
    apart = abs(streamed.metrics["val_accuracy"] - memory.metrics["val_accuracy"])
    record.add(Row("validation accuracies apart after training", (apart,), "", ACCURACY_APART, "most"))


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    if argv is None and sys.argv[1:2] == [CHILD]:
        run_here(sys.argv[2:])
        return 0
    parser = arguments(__doc__)
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--subset-gigabytes", type=float, default=1.0)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: the temporary folder")
    options = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    conditions = {"batch": str(options.batch), "threads": str(options.threads), "size": f"{options.gigabytes:g} GB"}
    record = Record("streaming", "Data larger than memory", sentence(__doc__), conditions)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        compare(Path(folder), options, record)
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
