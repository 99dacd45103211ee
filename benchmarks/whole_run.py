"""Ten epochs with projection, probe and landscape, all done: repviz beside the obvious way.

    python benchmarks/whole_run.py [--data FILE.npz] [--epochs 10] [--repeats 1]

The obvious way trains alike, then, epoch by epoch and layer by layer, fits umap-learn and scikit-learn's PCA from
scratch and a LogisticRegression on standardized activations, and every fifth epoch runs one forward pass per point of
a 21 x 21 grid, on train and on val points. Both look at the same points. repviz runs inline, so that everything is
done when it ends, and computes more than is compared (fidelity of the maps, the probe's penalty and control). Both have
loaded their libraries and compiled UMAP beforehand, and neither draws a video. A pair of runs takes many minutes: one
is measured unless more are asked for.
"""

import importlib
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import yaml
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.func import functional_call

from report.arguments import ROOT, arguments, sentence
from report.record import Record, times
from repviz.cli import main as repviz_command
from repviz.diagnostics.filter_normalization import filter_normalized_directions
from repviz.diagnostics.landscape import chosen_points
from repviz.diagnostics.umap_descent import warm_up
from repviz.recorded import RecordedRun
from repviz.snapshot import observing
from repviz.store.checkpoint_paths import checkpoint_path

LEAST_RATIO, RESOLUTION, N_POINTS, EVERY = 5.0, 21, 1024, 5


def fit(data: Path, epochs: int, *options: str) -> tuple[float, Path, tempfile.TemporaryDirectory]:
    """Seconds of the command, and its run."""
    folder = tempfile.TemporaryDirectory()
    began = time.perf_counter()
    repviz_command([
        "fit", "--config", str(ROOT / "configs" / "concat.yaml"), "--data.path", str(data), "--runs_dir", folder.name,
        "--trainer.max_epochs", str(epochs), "--early_stopping.enabled", "false", "--baseline.enabled", "false",
        "--prediction.enabled", "false", "--video.enabled", "false", "--trainer.accelerator", "cpu", *options,
    ])  # fmt: skip
    (run_dir,) = Path(folder.name).iterdir()
    return time.perf_counter() - began, run_dir, folder


def load() -> None:
    """What either way loads and compiles once, whatever it looks at afterwards."""
    import umap

    importlib.import_module("repviz.training.cli")
    warm_up()
    umap.UMAP(random_state=0, n_epochs=2).fit_transform(np.random.default_rng(0).normal(size=(64, 4)))


def obvious(run_dir: Path, epochs: int) -> float:
    """Seconds of looking the obvious way."""
    import umap

    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    recorded = RecordedRun(run_dir, config, scaled_by=checkpoint_path(run_dir, 0))
    began = time.perf_counter()
    for epoch in range(epochs + 1):
        subject, step = recorded.subject(epoch)
        sample = subject.sample
        with observing(subject.module):
            snapshot = subject.snapshot(epoch, step)
            for points in {id(p): p for p in snapshot.activations.values()}.values():
                x = points.numpy()
                umap.UMAP(random_state=0).fit_transform(x)
                PCA(2).fit_transform(x)
                scaled = StandardScaler().fit_transform(x)
                train, val = sample.split == 0, sample.split == 1
                probe = LogisticRegression(max_iter=1000).fit(scaled[train], sample.labels[train])
                probe.score(scaled[val], sample.labels[val])
            if epoch % EVERY == 0 or epoch == epochs:
                one_forward_per_point(subject)
        print(f"  the obvious way: epoch {epoch} after {time.perf_counter() - began:.0f} s", flush=True)
    return time.perf_counter() - began


def one_forward_per_point(subject) -> None:
    """The landscape, a grid point at a time."""
    weights = {name: p.detach() for name, p in subject.module.named_parameters()}
    first, second = filter_normalized_directions(weights, 0)
    steps = np.linspace(-1, 1, RESOLUTION)
    for code in (0, 1):
        rows = torch.from_numpy(chosen_points(subject.sample, code, N_POINTS, 0))
        inputs, labels = tuple(x[rows] for x in subject.sample.inputs), torch.from_numpy(subject.sample.labels)[rows]
        for a in steps:
            for b in steps:
                moved = {name: weights[name] + a * first[name] + b * second[name] for name in first}
                subject.criterion(functional_call(subject.module, moved, inputs), labels)


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bar is met."""
    parser = arguments(__doc__, repeats=1, data=True)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    load()
    looking = ["--diagnostics", "inline", "--probe.enabled", "true", "--landscape.every_n_epochs", str(EVERY)]
    conditions = {"data": options.data.name, "epochs": str(options.epochs)}
    record = Record("whole_run", "A whole run with its figures", sentence(__doc__), conditions)
    ours, theirs = [], []
    for _ in range(options.repeats):
        own, _, _folder = fit(options.data, options.epochs, *looking)
        training, run_dir, _other = fit(options.data, options.epochs, "--diagnostics", "off")
        ours.append(own)
        theirs.append(training + obvious(run_dir, options.epochs))
    record.add(times("all done", ours, theirs, peer="the obvious way", bar=LEAST_RATIO))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
