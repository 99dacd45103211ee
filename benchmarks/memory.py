"""Peak memory of diagnosing 15,000 points of five layers of 2,048 units, every diagnostic.

    python benchmarks/memory.py [--data FILE.npz] [--points 15000] [--width 2048] [--only KINDS]

Trains for one epoch without looking, then runs ``repviz diagnose`` on that epoch and takes the process's peak resident
memory.
"""

import os
import subprocess
import sys
import tempfile

from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row

MOST_GB = 4.0


def command(*words: str) -> float:
    """Run ``repviz``; gives its peak resident memory in GB."""
    process = subprocess.Popen([sys.executable, "-m", "repviz", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.stderr.write(f"repviz {words[0]} ended with status {os.waitstatus_to_exitcode(status)}\n")
        raise SystemExit(3)
    return usage.ru_maxrss * 1024 / 1e9


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bar is met."""
    parser = arguments(__doc__, repeats=None, data=True)
    parser.add_argument("--points", type=int, default=15_000)
    parser.add_argument("--width", type=int, default=2_048)
    parser.add_argument("--only", default=None, help="kinds, as in probe,projection; one by one tells which needs most")
    options = parser.parse_args(argv)
    layers = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", "diagnostics/all.yaml")]
    conditions = {"data": options.data.name, "diagnostics": options.only or "all"}
    record = Record("memory", "Memory of diagnosing", sentence(__doc__), conditions)
    with tempfile.TemporaryDirectory() as folder:
        trained = command(
            "fit", *layers, "--diagnostics", "off", "--data.path", str(options.data), "--runs_dir", folder,
            "--model.hidden_dims", str([options.width] * 5), "--sample.size", str(options.points),
            "--trainer.max_epochs", "1", "--baseline.enabled", "false", "--trainer.accelerator", "cpu",
        )  # fmt: skip
        record.add(Row("training, peak resident memory", (trained,), "GB"))
        only = ["--only", options.only] if options.only else []
        # Grid points are evaluated a few at a time: a small grid needs as much memory as a large one.
        grid = ["--set", "landscape.resolution=5"]
        peak = command("diagnose", "--runs-dir", folder, "--epochs", "1", *grid, *only)
    what = f"diagnosing {options.points:,} points, five layers of {options.width:,} units, peak resident memory"
    record.add(Row(what, (peak,), "GB", MOST_GB, "most"))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
