"""Looking inline in a training of several processes: shared out among them, against rank zero looking alone.

    python benchmarks/ranks.py [--data FILE.npz] [--processes 2] [--epochs 6] [--points 2000] [--repeats 5]

Every diagnostic after every epoch, DDP over gloo on the CPU, one thread in each process. Measured: the time until the
last epoch was looked at, less that of the same training without looking. Bars: the stall is shorter, and the artifacts
are equal to 1e-5.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import xarray as xr

import repviz
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row, multiples
from repviz.run import Run

TOLERANCE = 1e-5
ALONE, SHARED, NOBODY = "rank zero alone", "shared out", "nobody looks"
HOW = {
    NOBODY: ["--diagnostics", "off"],
    ALONE: ["--diagnostics", "inline", "--spread_diagnostics", "false"],
    SHARED: ["--diagnostics", "inline"],
}


def train(how: str, options: argparse.Namespace, folder: Path) -> tuple[float, Run]:
    """Seconds of one training from its first epoch's row to its end, and the run."""
    layers = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", "diagnostics/all.yaml")]
    # Without UMAP, which takes seconds to load, once in a training: this is about what every epoch takes.
    settings = [
        *("--data.path", str(options.data), "--runs_dir", str(folder), "--sample.size", str(options.points)),
        *("--trainer.max_epochs", str(options.epochs), "--early_stopping.enabled", "false", "--video.enabled", "false"),
        *("--trainer.accelerator", "cpu", "--trainer.strategy", "ddp", "--trainer.devices", str(options.processes)),
        *("--baseline.enabled", "false", "--trajectory.enabled", "false", "--landscape.every_n_epochs", "1"),
        *("--projection.methods", "[pca]", "--runtime.torch_threads", "1", *HOW[how]),
    ]
    before = set(folder.iterdir()) if folder.exists() else set()
    process = subprocess.Popen(
        [sys.executable, "-m", "repviz", "fit", *layers, *settings],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    said: list[str] = []
    began = ended = float("nan")
    for line in process.stderr:
        said.append(line)
        if line.startswith("epoch 0/"):
            began = time.perf_counter()
        if "`Trainer.fit` stopped" in line:
            ended = time.perf_counter()
    if process.wait():
        raise SystemExit("".join(said[-20:]))
    (run_dir,) = set(folder.iterdir()) - before
    return ended - began, repviz.open_run(run_dir)


def furthest(one: Run, other: Run) -> list[str]:
    """Artifacts that are missing or differ by more than ``TOLERANCE``."""
    found = []
    for kind in sorted({*one.kinds(), *other.kinds()}):
        for epoch in sorted({*one.epochs(kind), *other.epochs(kind)}):
            try:
                xr.testing.assert_allclose(one.read(kind, epoch), other.read(kind, epoch), rtol=TOLERANCE)
            except (FileNotFoundError, AssertionError):
                found.append(f"{kind} {epoch}")
    return found


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    parser = arguments(__doc__, repeats=5, data=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--points", type=int, default=2_000)
    options = parser.parse_args(argv)
    conditions = {"data": options.data.name, "processes": str(options.processes), "epochs": str(options.epochs)}
    record = Record("ranks", "Looking, shared out among processes", sentence(__doc__), conditions)
    stalls: dict[str, list[float]] = {ALONE: [], SHARED: []}
    different = set()
    with tempfile.TemporaryDirectory() as name:
        for _ in range(options.repeats):
            found = {how: train(how, options, Path(name) / "runs") for how in HOW}
            for how, seconds in stalls.items():
                seconds.append(found[how][0] - found[NOBODY][0])
            different |= set(furthest(found[ALONE][1], found[SHARED][1]))
    record.add(multiples("stall by looking", stalls[SHARED], stalls[ALONE], peer=ALONE, bar=1.0))
    record.add(Row("artifacts that differ", (float(len(different)),), "artifacts", 0, "most"))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
