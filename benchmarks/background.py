"""Training with every diagnostic in the background beside training without any, and what handing an epoch over costs.

    python benchmarks/background.py [--data FILE.npz] [--epochs 20] [--batch 4] [--repeats 1]

Both runs have one torch thread. Measured: the time until the last optimiser step, and that every due artifact is there
after draining. Then the time that ``submit`` takes from training, for 1 and 50 million parameters, beside a copy of
the weights. Bars: at most 1.15 times as long with a core to spare; at most 50 ms, and 1.5 times the copy. Exits with 1
when a bar is missed.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import repviz
from repviz.background.background import Background
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.subject import Subject, named_layers
from repviz.diagnostics.activations import Activations
from repviz.snapshot import Sample

ROOT = Path(__file__).parent.parent
DATA = (ROOT.parent / "shared" / "data" / "packages.npz", ROOT / "data" / "packages_small.npz")
MOST_RATIO, MOST_MS, MOST_COPIES = 1.15, 50.0, 1.5
SETTINGS = [
    *("--model.hidden_dims", "[1024, 512]", "--early_stopping.enabled", "false"),
    *("--runtime.torch_threads", "1", "--baseline.enabled", "false", "--trainer.accelerator", "cpu"),
]


def train(data: Path, epochs: int, batch: int, layer: str) -> tuple[float, Path, tempfile.TemporaryDirectory]:
    """Seconds until the last epoch was trained, and the run."""
    folder = tempfile.TemporaryDirectory()
    configs = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", f"diagnostics/{layer}.yaml")]
    every = ["--landscape.every_n_epochs", "1"] if layer == "all" else []
    done = subprocess.run(
        [sys.executable, "-m", "repviz", "fit", *configs, *SETTINGS, *every, "--data.path", str(data),
         "--data.batch_size", str(batch), "--trainer.max_epochs", str(epochs), "--runs_dir", folder.name],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = re.findall(rf"^epoch {epochs}/{epochs} .* ([\d.]+) s$", done.stderr + done.stdout, re.MULTILINE)
    (run_dir,) = Path(folder.name).iterdir()
    return float(lines[-1]), run_dir, folder


def missing(run_dir: Path, epochs: int) -> list[str]:
    """Due artifacts that are not there."""
    run = repviz.open_run(run_dir)
    of_epochs = run.info()["every_n_epochs"]
    return [f"{kind} {epoch}" for kind in of_epochs for epoch in range(epochs + 1) if epoch not in run.epochs(kind)]


def handing_over(width: int) -> tuple[int, float, float]:
    """Parameters of a network, milliseconds that ``submit`` takes, and those of a copy of its weights."""
    network = nn.Sequential(nn.Linear(512, width), nn.ReLU(), nn.Linear(width, 512))
    points = torch.zeros(4, 512)
    rows = np.arange(4)
    sample = Sample((points,), 0 * rows, 0 * rows, rows, rows.astype(str), ("a", "b"))
    subject = Subject(network, named_layers(network, []), None, sample)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "last.ckpt"
        torch.save({"state_dict": network.state_dict()}, checkpoint)
        background = Background(subject, {"activations": Activations()}, Path(folder), BackgroundSettings())
        submitting, copying = [], []
        for epoch in range(20):
            began = time.perf_counter()
            background.submit(epoch, epoch, ["activations"], checkpoint)
            submitting.append(time.perf_counter() - began)
            began = time.perf_counter()
            [p.detach().clone() for p in network.parameters()]
            copying.append(time.perf_counter() - began)
        background.stop()
    n = sum(p.numel() for p in network.parameters())
    return n, 1e3 * statistics.median(submitting), 1e3 * statistics.median(copying)


def main() -> int:
    """Run and print; 0 when the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=next(path for path in DATA if path.exists()))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4, help="small, so that an epoch takes ten seconds or more")
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    met, ratios = True, []
    for _ in range(options.repeats):
        alone, _, _folder = train(options.data, options.epochs, options.batch, "none")
        beside, run_dir, _other = train(options.data, options.epochs, options.batch, "all")
        left_out = missing(run_dir, options.epochs)
        ratios.append(beside / alone)
        met = met and not left_out
        print(f"alone {alone:.1f} s, {alone / options.epochs:.1f} s per epoch")
        print(f"with all diagnostics beside it {beside:.1f} s, {ratios[-1]:.3f} x")
        print(f"  artifacts missing after draining: {', '.join(left_out) or 'none'}", flush=True)
    met = met and statistics.median(ratios) <= MOST_RATIO
    for width in (1_000, 50_000):
        n, submitting, copying = handing_over(width)
        most = MOST_MS if n <= 1_100_000 else MOST_COPIES * copying
        met = met and submitting <= most
        print(f"{n / 1e6:5.1f} M parameters: handed over in {submitting:.2f} ms; a copy of them takes {copying:.2f} ms")
    print(f"bars: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
