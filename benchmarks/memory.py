"""Peak memory of diagnosing 15,000 points of five layers of 2,048 units, every diagnostic.

    python benchmarks/memory.py [--data FILE.npz] [--points 15000] [--width 2048] [--only KINDS]

Trains for one epoch without looking, then runs ``repviz diagnose`` on that epoch and takes the process's peak resident
memory. Bar: under 4 GB. Exits with 1 when it is missed, or when a diagnostic fails.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = (ROOT.parent / "shared" / "data" / "packages.npz", ROOT / "data" / "packages_small.npz")
MOST_GB = 4.0


def command(*arguments: str) -> float:
    """Run ``repviz``; gives its peak resident memory in GB."""
    process = subprocess.Popen([sys.executable, "-m", "repviz", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"repviz {arguments[0]} ended with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024 / 1e9


def main() -> int:
    """Run and print; 0 when the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=next(path for path in DATA if path.exists()))
    parser.add_argument("--points", type=int, default=15_000)
    parser.add_argument("--width", type=int, default=2_048)
    parser.add_argument("--only", default=None, help="kinds, as in probe,projection; one by one tells which needs most")
    options = parser.parse_args()
    layers = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", "diagnostics/all.yaml")]
    with tempfile.TemporaryDirectory() as folder:
        trained = command(
            "fit", *layers, "--diagnostics", "off", "--data.path", str(options.data), "--runs_dir", folder,
            "--model.hidden_dims", str([options.width] * 5), "--sample.size", str(options.points),
            "--trainer.max_epochs", "1", "--baseline.enabled", "false", "--trainer.accelerator", "cpu",
        )  # fmt: skip
        print(f"training: {trained:.2f} GB", flush=True)
        only = ["--only", options.only] if options.only else []
        # Grid points are evaluated a few at a time: a small grid needs as much memory as a large one.
        grid = ["--set", "landscape.resolution=5"]
        peak = command("diagnose", "--runs-dir", folder, "--epochs", "1", *grid, *only)
    print(f"diagnosing {options.points:,} points, five layers of {options.width:,} units: {peak:.2f} GB at most")
    print(f"bar: under {MOST_GB:g} GB: {'met' if peak < MOST_GB else 'MISSED'}")
    return 0 if peak < MOST_GB else 1


if __name__ == "__main__":
    sys.exit(main())
