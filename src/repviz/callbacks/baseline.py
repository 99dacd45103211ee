"""The logistic-regression baseline on the model's inputs, fitted once, beside the model in ``results.csv``."""

import logging

import numpy as np
from jsonargparse.typing import NonNegativeInt
from lightning.pytorch import Callback, LightningModule, Trainer

from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.recorder import RunRecorder
from repviz.model.baseline import fit_baseline
from repviz.store.results_table import read_results, write_result

log = logging.getLogger("repviz")


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
        inputs, labels = {}, {}
        for split in ("train", "val"):
            rows = data.rows(split)
            used = rows.inputs if pl_module.hparams.n_tabular else rows.inputs[:1]
            inputs[split] = np.concatenate([x.numpy() for x in used], axis=1)
            labels[split] = rows.labels.numpy()
        try:
            with terminated_as_interrupted():
                found = fit_baseline(inputs["train"], labels["train"], inputs["val"], labels["val"], seed=self.seed)
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
