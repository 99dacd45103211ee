"""Lightning as its documentation and torchmetrics' have it, on sliced tensors or on a per-row Dataset."""

from collections.abc import Callable, Iterator

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from repviz.model.metrics import ConfidenceWeightedF1
from training_parts.epoch_times import EpochTimes
from training_parts.setting import EVALUATION_BATCH, Rows, Setting, adamw, network, schedule


class Plain(LightningModule):
    """Metrics through ``self.log``."""

    def __init__(self, n_features: int, n_classes: int, n_rows: int, setting: Setting) -> None:
        """Args: widths, training rows, and what is trained."""
        super().__init__()
        self.network = network(n_features, n_classes, setting)
        self.lr, self.steps = setting.lr, setting.steps(n_rows)
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
        """Loss and accuracy."""
        inputs, labels = batch
        logits = self.network(inputs)
        loss = self.criterion(logits, labels)
        self.train_accuracy(logits, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The gradient's norm."""
        norm = nn.utils.get_total_norm([p.grad for p in self.network.parameters()])
        self.log("grad_norm", norm, on_step=False, on_epoch=True)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Loss and scores."""
        inputs, labels = batch
        logits = self.network(inputs)
        self.log("val_loss", self.criterion(logits, labels))
        for name, metric in self.val_metrics.items():
            metric(logits, labels)
            self.log(name, metric)

    def configure_optimizers(self) -> dict[str, object]:
        """As everyone's here."""
        optimizer = adamw(self.parameters(), self.lr)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule(optimizer, self.steps), "interval": "step"},
        }


class Sliced:
    """Batches sliced from tensors in memory."""

    def __init__(self, x: Tensor, y: Tensor, batch: int, *, shuffle: bool) -> None:
        """Args: rows, labels, rows per batch, whether in another order each epoch."""
        self.x, self.y, self.batch, self.shuffle = x, y, batch, shuffle

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.x)) if self.shuffle else torch.arange(len(self.x))
        return ((self.x[rows], self.y[rows]) for rows in order.split(self.batch))


def per_row(x: Tensor, y: Tensor, batch: int, *, shuffle: bool) -> DataLoader:
    """Rows one by one, collated."""
    return DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=shuffle)


def lightning(rows: Rows, setting: Setting, loader: Callable[..., object]) -> list[float]:
    """Train on the CPU; gives the moments at which epochs began, and the end."""
    (x, y), (x_val, y_val) = rows["train"], rows["val"]
    module = Plain(x.shape[1], int(y.max()) + 1, len(x), setting)
    times = EpochTimes()
    times.moments.clear()
    trainer = Trainer(
        max_epochs=setting.epochs, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[times],
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(
        module, loader(x, y, setting.batch, shuffle=True), loader(x_val, y_val, EVALUATION_BATCH, shuffle=False)
    )
    return list(times.moments)
