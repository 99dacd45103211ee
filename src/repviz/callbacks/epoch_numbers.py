"""What training and validation measured in an epoch, told apart, and the line that says it."""

import logging
from collections.abc import Mapping

from torch import Tensor

from repviz.store.metrics_table import Row

log = logging.getLogger("repviz")

_SHOWN = ("train_loss", "val_loss", "val_accuracy", "val_f1_macro")


class EpochNumbers:
    """The numbers of one epoch after another.

    Lightning keeps the last value of every metric; what validation measured counts for the epoch only.

    Attributes:
        validation: what validation has measured in this epoch.
    """

    def __init__(self) -> None:
        """Nothing is measured yet, and no name known."""
        self.validation: dict[str, float] = {}
        self._validation_names: set[str] = set()
        self._training_names: set[str] = set()

    def begin(self) -> None:
        """Another epoch, of which nothing is measured."""
        self.validation = {}

    def take_validation(self, metrics: Mapping[str, Tensor]) -> None:
        """Take what validation measured: the names that training has not logged."""
        self._validation_names |= set(metrics) - self._training_names
        self.validation = {name: float(metrics[name]) for name in metrics if name in self._validation_names}

    def of_epoch(self, metrics: Mapping[str, Tensor]) -> dict[str, float]:
        """What training measured, and validation."""
        self._training_names |= set(metrics) - self._validation_names
        training = {name: float(metrics[name]) for name in metrics if name in self._training_names}
        return training | self.validation


def say(row: Row, max_epochs: int | None, seconds: float) -> None:
    """One line for an epoch."""
    values = "  ".join(f"{name} {row[name]:.4f}" for name in _SHOWN if name in row)
    log.info("epoch %d/%s  %s  %.1f s", row["epoch"], max_epochs, values, seconds)
