"""Training through ``repviz fit`` beside a hand-written loop, plain Lightning, and a per-row Dataset in Lightning.

    python benchmarks/training.py [--data FILE.npz] [--epochs 6] [--repeats 5] [--threads 2] [--batches 512 64]

384-512-256 on the embeddings, LayerNorm, dropout, AdamW, a learning rate that changes every step. Every contestant
trains on the same float32 rows and reports the same numbers each epoch: training loss, accuracy and gradient norm;
validation loss, accuracy, macro and confidence-weighted F1. ``repviz fit`` writes its run besides (checkpoint, metrics,
heartbeat); no diagnostics. Samples per second are those of whole epochs after the first, in one process, in turn.
Bars: at least 0.92 of the hand-written loop at batch 512, 0.70 at batch 64; at least 1.5 times the per-row Dataset at
batch 64. Exits with 1 when one is missed.
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from repviz.cli import main as repviz
from repviz.model.metrics import ConfidenceWeightedF1, EvaluationMetrics

ROOT = Path(__file__).parent.parent
DATA = (ROOT.parent / "shared" / "data" / "packages.npz", ROOT / "data" / "packages_small.npz")
HIDDEN, DROPOUT, LR, EVALUATION_BATCH = (512, 256), 0.3, 1e-3, 4096
BARS = {512: 0.92, 64: 0.70}
PER_ROW_BAR, PER_ROW_BATCH = 1.5, 64
Rows = dict[str, tuple[Tensor, Tensor]]


class EpochTimes(Callback):
    """When each epoch began, and when the last one had ended with all that belongs to it."""

    moments: list[float] = []  # noqa: RUF012 - of the run under way, whoever made the callback

    def on_train_epoch_start(self, *_: object) -> None:
        self.moments.append(time.perf_counter())

    def on_train_end(self, *_: object) -> None:
        self.moments.append(time.perf_counter())


def network(n_features: int, n_classes: int) -> nn.Sequential:
    """What ``repviz fit`` trains, by hand."""
    widths = (n_features, *HIDDEN)
    blocks: list[nn.Module] = []
    for a, b in zip(widths, HIDDEN, strict=False):
        blocks += [nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*blocks, nn.Linear(HIDDEN[-1], n_classes))


def schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def by_hand(rows: Rows, batch: int, epochs: int) -> list[float]:
    """Moments at which epochs began, and the end."""
    (x, y), (x_val, y_val) = rows["train"], rows["val"]
    n_classes = int(y.max()) + 1
    model, criterion, metrics = network(x.shape[1], n_classes), nn.CrossEntropyLoss(), EvaluationMetrics(n_classes)
    optimizer = torch.optim.AdamW(model.parameters(), LR)
    scheduler = schedule(optimizer, epochs * -(-len(x) // batch))
    moments = []
    for _ in range(epochs):
        moments.append(time.perf_counter())
        model.train()
        sums = torch.zeros(3, dtype=torch.float64)
        for chosen in torch.randperm(len(x)).split(batch):
            inputs, labels = x[chosen], y[chosen]
            logits = model(inputs)
            loss = criterion(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
            optimizer.step()
            scheduler.step()
            hits = (logits.detach().argmax(1) == labels).count_nonzero()
            sums += torch.stack([loss.detach() * len(labels), hits.float(), norm])
        sums.tolist()
        model.eval()
        with torch.no_grad():
            for inputs, labels in zip(x_val.split(EVALUATION_BATCH), y_val.split(EVALUATION_BATCH), strict=True):
                logits = model(inputs)
                metrics.update(logits, labels, criterion(logits, labels), len(labels))
        {name: float(value) for name, value in metrics.compute().items()}
        metrics.reset()
    return [*moments, time.perf_counter()]


class Plain(LightningModule):
    """As the documentation of Lightning and torchmetrics has it."""

    def __init__(self, n_features: int, n_classes: int, steps: int) -> None:
        super().__init__()
        self.network, self.steps = network(n_features, n_classes), steps
        self.criterion = nn.CrossEntropyLoss()
        self.train_accuracy = MulticlassAccuracy(n_classes, average="micro")
        self.val_metrics = nn.ModuleDict(
            {
                "val_accuracy": MulticlassAccuracy(n_classes, average="micro"),
                "val_f1_macro": MulticlassF1Score(n_classes),
                "val_f1_confidence": ConfidenceWeightedF1(n_classes),
            }
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels = batch
        logits = self.network(inputs)
        loss = self.criterion(logits, labels)
        self.train_accuracy(logits, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        norm = nn.utils.get_total_norm([p.grad for p in self.network.parameters()])
        self.log("grad_norm", norm, on_step=False, on_epoch=True)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        inputs, labels = batch
        logits = self.network(inputs)
        self.log("val_loss", self.criterion(logits, labels))
        for name, metric in self.val_metrics.items():
            metric(logits, labels)
            self.log(name, metric)

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), LR)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule(optimizer, self.steps), "interval": "step"},
        }


class Sliced:
    """Batches sliced from tensors in memory."""

    def __init__(self, x: Tensor, y: Tensor, batch: int, *, shuffle: bool) -> None:
        self.x, self.y, self.batch, self.shuffle = x, y, batch, shuffle

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.x)) if self.shuffle else torch.arange(len(self.x))
        return ((self.x[rows], self.y[rows]) for rows in order.split(self.batch))


def per_row(x: Tensor, y: Tensor, batch: int, *, shuffle: bool) -> DataLoader:
    return DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=shuffle)


def lightning(rows: Rows, batch: int, epochs: int, loader: Callable[..., object]) -> list[float]:
    """Moments at which epochs began, and the end."""
    (x, y), (x_val, y_val) = rows["train"], rows["val"]
    module = Plain(x.shape[1], int(y.max()) + 1, epochs * -(-len(x) // batch))
    times = EpochTimes()
    times.moments.clear()
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=[times],
    )  # fmt: skip
    trainer.fit(module, loader(x, y, batch, shuffle=True), loader(x_val, y_val, EVALUATION_BATCH, shuffle=False))
    return list(times.moments)


def through_repviz(data: Path, batch: int, epochs: int) -> list[float]:
    """Moments at which epochs began, and the end."""
    EpochTimes.moments.clear()
    with tempfile.TemporaryDirectory() as runs_dir:
        repviz(
            ["fit", "--data.path", str(data), "--data.batch_size", str(batch), "--data.use_tabular", "false",
             "--model.fusion", "none", "--model.hidden_dims", str(list(HIDDEN)), "--model.dropout", str(DROPOUT),
             "--model.warmup_epochs", "0", "--diagnostics", "off", "--baseline.enabled", "false",
             "--early_stopping.enabled", "false", "--trainer.accelerator", "cpu", "--trainer.max_epochs", str(epochs),
             "--trainer.enable_progress_bar", "false", "--trainer.callbacks+=__main__.EpochTimes",
             "--runs_dir", runs_dir]
        )  # fmt: skip
    return list(EpochTimes.moments)


def rows_of(data: Path) -> Rows:
    """Train and val rows without the excluded ones: ``(n, d)`` float32 standardized, ``(n,)`` int64."""
    with np.load(data) as arrays:
        found = {s: (arrays[f"X_{s}_embed"].astype(np.float32), arrays[f"y_{s}"]) for s in ("train", "val")}
    shift, scale = found["train"][0].mean(0), found["train"][0].std(0)
    return {s: (torch.from_numpy((x - shift) / scale), torch.from_numpy(y).long()) for s, (x, y) in found.items()}


def without_excluded(data: Path, folder: str) -> Path:
    """A copy of the file without rows that only repviz would evaluate."""
    copy = Path(folder) / "data.npz"
    with np.load(data) as arrays:
        np.savez(copy, **{name: arrays[name] for name in arrays.files if "excl" not in name})
    return copy


def main() -> int:
    """Run and print; 0 when the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=next(path for path in DATA if path.exists()))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=list(BARS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    rows, met = rows_of(options.data), True
    n = len(rows["train"][0])
    with tempfile.TemporaryDirectory() as folder:
        data = without_excluded(options.data, folder)
        for batch in options.batches:
            contestants: dict[str, Callable[[], list[float]]] = {
                "by hand": lambda batch=batch: by_hand(rows, batch, options.epochs),
                "repviz fit": lambda batch=batch: through_repviz(data, batch, options.epochs),
                "plain Lightning": lambda batch=batch: lightning(rows, batch, options.epochs, Sliced),
            }
            if batch == PER_ROW_BATCH:
                contestants["Lightning, per-row Dataset"] = lambda: lightning(
                    rows, PER_ROW_BATCH, options.epochs, per_row
                )
            rates: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(options.repeats):
                for name, run in contestants.items():
                    torch.manual_seed(0)
                    moments = run()
                    rates[name].append(n * (len(moments) - 2) / (moments[-1] - moments[1]))
            print(f"batch {batch}: {n:,} rows, {options.threads} threads, {options.repeats} repeats", flush=True)
            for name, found in rates.items():
                ratios = [own / other for own, other in zip(found, rates["by hand"], strict=True)]
                print(
                    f"  {name:<28}{statistics.median(found):9,.0f} samples/s   of the hand-written loop "
                    f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    flush=True,
                )
            own = statistics.median(a / b for a, b in zip(rates["repviz fit"], rates["by hand"], strict=True))
            met &= batch not in BARS or own >= BARS[batch]
            if batch == PER_ROW_BATCH:
                per = rates["Lightning, per-row Dataset"]
                faster = statistics.median(a / b for a, b in zip(rates["repviz fit"], per, strict=True))
                print(f"  repviz fit is {faster:.2f} times as fast as the per-row Dataset")
                met &= faster >= PER_ROW_BAR
    print("bars met" if met else "a bar is MISSED")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
