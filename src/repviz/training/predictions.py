"""Writing what ``repviz predict`` finds: ids, labels and probabilities."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter

from repviz.atomic import replacing
from repviz.errors import UserError

log = logging.getLogger("repviz")

FORMATS = (".csv", ".npz")


class PredictionWriter(BasePredictionWriter):
    """Writes the predictions of all ranks, in the order of the data, to one .csv or .npz file.

    Columns of the .csv: ``id``, ``label`` (the most probable class), then one probability per class. Arrays of the
    .npz: ``id``, ``label`` (index), ``probability`` (n, n_classes), ``classes``.
    """

    def __init__(self, out: str) -> None:
        """Raises:
        UserError: the file's ending is neither .csv nor .npz, or its folder is not there.
        """
        super().__init__("epoch")
        self.out = Path(out)
        if self.out.suffix not in FORMATS:
            raise UserError(f"--out {out}: predictions are written as {' or '.join(FORMATS)}")
        if not self.out.absolute().parent.is_dir():
            raise UserError(f"--out {out}: there is no folder {self.out.absolute().parent}")

    def write_on_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule, predictions: Sequence[Any], batch_indices: Sequence[Any]
    ) -> None:
        """Gather what the ranks predicted and write it on rank zero."""
        own = tuple(torch.cat(parts).cpu() for parts in zip(*predictions, strict=True))
        gathered = [own]
        if trainer.world_size > 1:
            gathered = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, own)
        if not trainer.is_global_zero:
            return
        rows, probabilities = (torch.cat(parts).numpy() for parts in zip(*gathered, strict=True))
        order = np.argsort(rows)
        data = trainer.datamodule
        ids = data.rows(data.predicted_split).split.ids[rows[order]]
        self._write(ids, probabilities[order], np.array(data.classes))
        log.info("%d predictions written to %s", len(ids), self.out)

    def _write(self, ids: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> None:
        label = probabilities.argmax(axis=1)
        with replacing(self.out) as temporary:
            if self.out.suffix == ".npz":
                with temporary.open("wb") as file:
                    np.savez(file, id=ids, label=label, probability=probabilities, classes=classes)
                return
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "label", *classes])
                for identity, best, row in zip(ids, label, probabilities, strict=True):
                    writer.writerow([identity, classes[best], *(f"{p:.6g}" for p in row)])
