"""Flipped labels found by the dynamics of training.

    python benchmarks/mislabelled.py [--data FILE.npz] [--epochs 25] [--every 1] [--seed 0]

Flips 5 % of the training labels to another class, uniformly, trains as configs/concat.yaml says, twice: as it is, and
until the network has memorised its labels (no dropout, no label smoothing, constant learning rate). Of the 5 % of the
training rows that each score ranks highest, how many were flipped?
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

import repviz
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row
from repviz.cli import main as repviz_command

SHARE, LEAST_RECALL = 0.05, 0.6
SUSPICION = "suspicion (mean log probability)"
MEMORISING = ("--model.dropout=0", "--model.label-smoothing=0", "--model.schedule=constant")


def flip(source: Path, target: Path, seed: int) -> np.ndarray:
    """Write the data with flipped training labels; gives which rows they are."""
    random = np.random.default_rng(seed)
    with np.load(source) as data:
        arrays = {name: data[name] for name in data.files if not name.startswith("text")}
    labels, n_classes = arrays["y_train"], len(arrays["classes"])
    flipped = np.zeros(len(labels), bool)
    flipped[random.choice(len(labels), round(SHARE * len(labels)), replace=False)] = True
    shift = random.integers(1, n_classes, flipped.sum())
    arrays["y_train"] = labels.copy()
    arrays["y_train"][flipped] = (labels[flipped] + shift) % n_classes
    np.savez(target, **arrays)
    return flipped


def train(data: Path, runs: Path, epochs: int, every: int, seed: int, more: tuple[str, ...]) -> repviz.Run:
    """A run of concat.yaml on the data that follows its training rows."""
    known = set(runs.iterdir()) if runs.exists() else set()
    repviz_command([
        "fit", "--config", str(ROOT / "configs" / "concat.yaml"), f"--data.path={data}", f"--runs-dir={runs}",
        f"--seed-everything={seed}", f"--trainer.max-epochs={epochs}", f"--early-stopping.patience={epochs}",
        "--diagnostics=inline", "--projection.enabled=false", "--prediction.enabled=false", "--landscape.enabled=false",
        "--dynamics.enabled=true", f"--dynamics.every-n-epochs={every}", "--trainer.enable-progress-bar=false", *more,
    ])  # fmt: skip
    (made,) = set(runs.iterdir()) - known
    return repviz.open_run(made)


def scores(last: xr.Dataset) -> dict[str, np.ndarray]:
    """What the rows can be ranked by, all from the last epoch's file; higher = more suspect."""
    never = np.where(last["train_learned"] == 1, last["train_forgetting"], np.iinfo(np.int16).max)
    return {
        SUSPICION: last["train_suspicion"].values,
        "mean confidence": -last["train_mean_confidence"].values,
        "area under the margin": -last["train_margin_area"].values,
        "forgetting (never learned first)": never,
        "loss at the last epoch": last["train_loss"].values,
    }


def recall(score: np.ndarray, flipped: np.ndarray) -> float:
    """Share of flipped rows among as many of highest score."""
    return float(flipped[np.argsort(-score, kind="stable")[: flipped.sum()]].mean())


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bar is met in both trainings."""
    parser = arguments(__doc__, repeats=None, data=True)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--every", type=int, default=1, help="epochs between looks")
    parser.add_argument("--seed", type=int, default=0, help="of the flips and of training")
    parser.add_argument("--runs", type=Path, default=None, help="keep the runs here")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "flipped.npz"
        flipped = flip(options.data, data, options.seed)
        conditions = {"data": options.data.name, "flipped": f"{flipped.sum():,} of {len(flipped):,} labels"}
        conditions |= {"epochs": f"{options.epochs}, a look every {options.every}"}
        record = Record("mislabelled", "Wrong labels found", sentence(__doc__), conditions)
        for name, more in (("as configs/concat.yaml trains", ()), ("memorising", MEMORISING)):
            runs = options.runs or Path(scratch) / "runs"
            run = train(data, runs, options.epochs, options.every, options.seed, more)
            last = run.read("dynamics", run.epochs("dynamics")[-1])
            fitted = float((last["train_correct"] == 1).mean())
            record.add(Row(f"{name}: given labels fitted", (fitted,), "of all"))
            for score, values in scores(last).items():
                bar = LEAST_RECALL if score == SUSPICION else None
                record.add(
                    Row(f"{name}: flipped among the most suspect by {score}", (recall(values, flipped),), "", bar)
                )
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
