"""When epochs began and how they were scored, for whoever trains with Lightning."""

import time

from lightning.pytorch import Callback, Trainer


class EpochTimes(Callback):
    """When each epoch began, and when the last one had ended with all that belongs to it."""

    moments: list[float] = []  # noqa: RUF012 - of the run under way, whoever made the callback

    scores: list[float] = []  # noqa: RUF012 - val accuracy, of the same run

    def on_validation_end(self, trainer: Trainer, *_: object) -> None:
        """Note the score."""
        self.scores.append(float(trainer.callback_metrics["val_accuracy"]))

    def on_train_epoch_start(self, *_: object) -> None:
        """Note the moment."""
        self.moments.append(time.perf_counter())

    def on_train_end(self, *_: object) -> None:
        """Note the moment."""
        self.moments.append(time.perf_counter())
