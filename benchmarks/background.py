"""Training with every diagnostic in the background beside training without any, and what handing an epoch over costs.

    python benchmarks/background.py [--data FILE.npz] [--epochs 20] [--batch 4] [--repeats 1] [--pages 4]

All runs have one torch thread. While the run with diagnostics trains, the dashboard serves it to pages that poll.
Measured: the time until the last optimiser step, as a multiple of that without diagnostics (so less is better), and how
many due artifacts are missing after draining. Where two cores share caches, memory and power, a core that is spare is
not free: a third run has no diagnostics either, but beside it another process multiplies matrices, with as low a
priority. What that costs is the machine's share. Then the time that ``submit`` takes from training, for 1 and 50
million parameters, beside a copy of the weights. A round of runs takes many minutes: one is measured unless more are
asked for.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import repviz
from background_parts.company import computing, pages
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row, multiples, write
from repviz.background.background import Background
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.subject import Subject, named_layers
from repviz.diagnostics.activations import Activations
from repviz.snapshot import Sample

MOST_RATIO, MOST_RATIO_ON_GPU, MOST_MS, MOST_COPIES = 1.15, 1.02, 50.0, 1.5
MOST_OF_THE_SPARE = 1.05
"""Against the same run beside a process that computes: what looking costs besides the machine's share."""
MANY = 1_100_000
"""Parameters above which a hand-over is compared with a copy, below which it has milliseconds."""
SETTINGS = [
    *("--model.hidden_dims", "[1024, 512]", "--early_stopping.enabled", "false"),
    *("--runtime.torch_threads", "1", "--baseline.enabled", "false"),
]


def train(
    data: Path,
    epochs: int,
    batch: int,
    layer: str,
    *options: str,
    device: str = "cpu",
    beside: Callable[[Path], AbstractContextManager] = nullcontext,
) -> tuple[float, Path, tempfile.TemporaryDirectory]:
    """Seconds until the last epoch was trained, and the run; ``layer`` is ``all`` or ``none`` of the diagnostics.

    ``beside`` is given the runs folder and goes on meanwhile.
    """
    folder = tempfile.TemporaryDirectory()
    configs = [f"--config={ROOT / 'configs' / name}" for name in ("concat.yaml", f"diagnostics/{layer}.yaml")]
    every = ["--landscape.every_n_epochs", "1"] if layer == "all" else []
    with beside(Path(folder.name)):
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


@dataclass(frozen=True)
class Round:
    """Seconds until the last step: with nobody there, beside a process that computes, with diagnostics and pages.

    Attributes:
        missing: due artifacts that were not there in the end.
        answers: that the pages had.
    """

    alone: float
    crowded: float
    beside: float
    missing: tuple[str, ...]
    answers: int


def once_round(data: Path, epochs: int, batch: int, n_pages: int) -> Round:
    """The three runs, one after the other."""
    had: list[list[int]] = []

    @contextmanager
    def watched(runs_dir: Path) -> Iterator[None]:
        with pages(runs_dir, n_pages) as answers:
            had.append(answers)
            yield

    alone, _, _one = train(data, epochs, batch, "none")
    nice = BackgroundSettings().nice
    crowded, _, _two = train(data, epochs, batch, "none", beside=lambda _: computing(nice))
    beside, run_dir, _three = train(data, epochs, batch, "all", beside=watched)
    return Round(alone, crowded, beside, tuple(missing(run_dir, epochs)), sum(map(sum, had)))


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
    parser.add_argument("--pages", type=int, default=4, help="that poll the run while it trains (default: %(default)s)")
    options = parser.parse_args(argv)
    conditions = {name: str(getattr(options, name)) for name in ("batch", "epochs", "pages")}
    conditions = {"data": options.data.name} | conditions
    record = Record("background", "All diagnostics beside training", sentence(__doc__), conditions)
    found: list[Round] = []
    for _ in range(options.repeats):
        found.append(once_round(options.data, options.epochs, options.batch, options.pages))
        beside, alone, crowded = ([getattr(one, name) for one in found] for name in ("beside", "alone", "crowded"))
        what, peer = "time until the last step", "the same run without diagnostics"
        record.add(multiples(what, beside, alone, peer=peer, bar=MOST_RATIO))
        record.add(multiples(what, beside, crowded, peer=f"{peer}, beside matrix products", bar=MOST_OF_THE_SPARE))
        record.add(multiples("that of a run without diagnostics beside matrix products", crowded, alone, peer=peer))
        print(f"  missing: {', '.join(name for one in found for name in one.missing) or 'none'}")
        n_missing = tuple(float(len(one.missing)) for one in found)
        record.add(Row("due artifacts missing after draining", n_missing, "files", 0, "most"))
        record.add(Row("answers that the pages had meanwhile", tuple(float(one.answers) for one in found), "answers"))
        write(record, options.results)  # should there be no time for the next round
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
