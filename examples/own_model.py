"""A LightningModule of one's own, watched by repviz: ``python examples/own_model.py``.

Then ``repviz dashboard`` shows the run, and ``repviz.open_run`` reads it. Whatever loggers the trainer has get the key
numbers of every diagnostic as well; here they lie in ``logs``.
"""

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from repviz.callbacks import GeometryCallback, ProbeCallback, ProjectionCallback, RunRecorder
from repviz.callbacks.sample import SampleSettings

RING = 3


class Rings(L.LightningModule):
    """Tells rings around the origin apart."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, RING)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        inputs, labels = batch
        loss = self.criterion(self(inputs), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        inputs, labels = batch
        logits = self(inputs)
        self.log("val_loss", self.criterion(logits, labels))
        self.log("val_accuracy", (logits.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def rings(n: int, seed: int) -> TensorDataset:
    """Points at a distance of 1, 2 or 3 from the origin, give or take a little."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(RING, (n,), generator=random)
    angle = torch.rand(n, generator=random) * 2 * torch.pi
    radius = labels + 1 + 0.15 * torch.randn(n, generator=random)
    return TensorDataset(torch.stack([radius * angle.cos(), radius * angle.sin()], 1), labels)


if __name__ == "__main__":
    L.seed_everything(0)
    L.Trainer(
        max_epochs=4,
        logger=CSVLogger("logs"),
        callbacks=[
            ProjectionCallback(layers=["input", "encoder.3", "logits"], methods=["pca"]),
            ProbeCallback(layers=["input", "encoder.3"]),
            GeometryCallback(layers=["encoder.3"]),
            RunRecorder("runs", sample=SampleSettings(size=300)),
        ],
    ).fit(Rings(), DataLoader(rings(2000, 1), batch_size=64, shuffle=True), DataLoader(rings(500, 2), batch_size=500))
