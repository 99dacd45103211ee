"""The logistic-regression baseline on the model's inputs, fitted once, beside the model in ``results.csv``.

Of training rows that stay on the disk it is fitted on a stratified draw that fits into memory, and scored on all
validation rows, part by part.
"""

import logging
from collections.abc import Sequence

import numpy as np
from jsonargparse.typing import NonNegativeInt
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.recorder import RunRecorder
from repviz.data.blocks import ScaledRows
from repviz.model.baseline import fit_baseline
from repviz.sampling import stratified_indices
from repviz.store.results_table import read_results, write_result

log = logging.getLogger("repviz")

_MAX_READ = 1 << 26
"""Bytes of training rows on the disk that the baseline is fitted on; fitting takes a few times as much."""


class Baseline(Callback):
    """Fits a logistic regression on the same inputs when training has ended."""

    def __init__(self, enabled: bool = True, seed: NonNegativeInt = 0) -> None:
        """Args:
        enabled: whether the baseline is fitted.
        seed: of the split that chooses its regularisation.
        """
        self.enabled = enabled
        self.seed = seed

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fit on rank zero and add the row; once per run, a resumed one has it already."""
        recorder = next((c for c in trainer.callbacks if isinstance(c, RunRecorder)), None)
        if not trainer.is_global_zero or recorder is None or recorder.run_dir is None:
            return
        if "logistic_regression" in read_results(recorder.run_dir):
            return
        log.info("fitting the logistic-regression baseline")
        data = trainer.datamodule
        train, val = data.rows("train"), data.rows("val")
        fitted, scored = (_SideBySide(rows.inputs, pl_module.hparams.n_tabular) for rows in (train, val))
        labels, chosen = train.labels.numpy(), slice(None)
        n_most = max(1, _MAX_READ * len(labels) // fitted.nbytes)
        if data.arrays.on_disk and n_most < len(labels):
            chosen = stratified_indices(labels, n_most, self.seed)
            log.info("the baseline is fitted on %d of %d training rows, stratified by class", n_most, len(labels))
        try:
            with terminated_as_interrupted():
                found = fit_baseline(fitted[chosen], labels[chosen], scored, val.labels.numpy(), seed=self.seed)
        except ValueError as error:  # the data may not admit one, a class with a single row for example
            log.warning("there is no baseline: %s", error)
            return
        write_result(
            recorder.run_dir,
            "logistic_regression",
            {
                "val_accuracy": found.accuracy,
                "val_f1_macro": found.f1_macro,
                "val_f1_confidence": found.f1_confidence,
            },
        )


class _SideBySide:
    """The network's inputs as one matrix, ``(n, n_inputs)``, of which rows are made when they are asked for."""

    def __init__(self, inputs: Sequence[Tensor] | Sequence[ScaledRows], n_tabular: int) -> None:
        self._inputs = inputs if n_tabular else inputs[:1]

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for x in self._inputs)

    def __len__(self) -> int:
        return len(self._inputs[0])

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return np.concatenate([x[rows].numpy() for x in self._inputs], axis=1)
