"""Training with every diagnostic in the background beside training without any, and what handing an epoch over costs.

    python benchmarks/background.py [--data FILE.npz] [--epochs 20] [--batch 4] [--repeats 1]

Both runs have one torch thread. Measured: the time until the last optimiser step, as a multiple of that without
diagnostics (so less is better), and how many due artifacts are missing after draining. Then the time that ``submit``
takes from training, for 1 and 50 million parameters, beside a copy of the weights. A pair of runs takes many minutes:
one is measured unless more are asked for.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import repviz
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row, multiples, write
from repviz.background.background import Background
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.subject import Subject, named_layers
from repviz.diagnostics.activations import Activations
from repviz.snapshot import Sample

MOST_RATIO, MOST_RATIO_ON_GPU, MOST_MS, MOST_COPIES = 1.15, 1.02, 50.0, 1.5
MANY = 1_100_000
"""Parameters above which a hand-over is compared with a copy, below which it has milliseconds."""
SETTINGS = [
    *("--model.hidden_dims", "[1024, 512]", "--early_stopping.enabled", "false"),
    *("--runtime.torch_threads", "1", "--baseline.enabled", "false"),
]


def train(
    data: Path, epochs: int, batch: int, layer: str, *options: str, device: str = "cpu"
) -> tuple[float, Path, tempfile.TemporaryDirectory]:
    """Seconds until the last epoch was trained, and the run; ``layer`` is ``all`` or ``none`` of the diagnostics."""
    folder = tempfile.TemporaryDirectory()
    configs = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", f"diagnostics/{layer}.yaml")]
    every = ["--landscape.every_n_epochs", "1"] if layer == "all" else []
    done = subprocess.run(
        [sys.executable, "-m", "repviz", "fit", *configs, *SETTINGS, *every, "--data.path", str(data),
         "--trainer.accelerator", "gpu" if device == "cuda" else device,
         "--data.batch_size", str(batch), "--trainer.max_epochs", str(epochs), "--runs_dir", folder.name, *options],
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


def pair(data: Path, epochs: int, batch: int, *options: str, device: str = "cpu") -> tuple[float, float, list[str]]:
    """Seconds without and with all diagnostics beside training, and what was missing in the end."""
    alone, _, _folder = train(data, epochs, batch, "none", *options, device=device)
    beside, run_dir, _other = train(data, epochs, batch, "all", *options, device=device)
    return alone, beside, missing(run_dir, epochs)


def handing_over(width: int, times: int) -> tuple[int, list[float], list[float]]:
    """Parameters of a network, milliseconds that ``submit`` takes each time, and those of a copy of its weights."""
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
        for epoch in range(times):
            began = time.perf_counter()
            background.submit(epoch, epoch, ["activations"], checkpoint)
            submitting.append(1e3 * (time.perf_counter() - began))
            began = time.perf_counter()
            [p.detach().clone() for p in network.parameters()]
            copying.append(1e3 * (time.perf_counter() - began))
        background.stop()
    return sum(p.numel() for p in network.parameters()), submitting, copying


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    parser = arguments(__doc__, repeats=1, data=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4, help="small, so that an epoch takes ten seconds or more")
    options = parser.parse_args(argv)
    conditions = {"data": options.data.name, "batch": str(options.batch), "epochs": str(options.epochs)}
    record = Record("background", "All diagnostics beside training", sentence(__doc__), conditions)
    found: list[tuple[float, float, list[str]]] = []
    for _ in range(options.repeats):
        found.append(pair(options.data, options.epochs, options.batch))
        alone, beside, left_out = zip(*found, strict=True)
        peer = "the same run without diagnostics"
        record.add(multiples("time until the last step", beside, alone, peer=peer, bar=MOST_RATIO))
        print(f"  missing: {', '.join(name for names in left_out for name in names) or 'none'}")
        n_missing = tuple(float(len(names)) for names in left_out)
        record.add(Row("due artifacts missing after draining", n_missing, "files", 0, "most"))
        write(record, options.results)  # should there be no time for the next pair
    for width in (1_000, 50_000):
        n, submitting, copying = handing_over(width, 20)
        what = f"handing {n / 1e6:.0f} million parameters over"
        if n <= MANY:
            record.add(Row(what, tuple(submitting), "ms", MOST_MS, "most"))
        bar = MOST_COPIES if n > MANY else None
        record.add(multiples(what, submitting, copying, "ms", peer="a copy of the weights", bar=bar))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
