"""A recorded run that is looked at again: its data as training saw it, its sample, and its weights of any epoch."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from repviz.callbacks.looking import Report, look_at, report_to_nobody
from repviz.callbacks.sample import build, rows_of, stored_unit_order
from repviz.callbacks.source import EmbeddingSource
from repviz.callbacks.subject import Subject, named_layers
from repviz.data.datamodule import EmbeddingDataModule
from repviz.diagnostics.activations import Activations, snapshot_of
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.errors import UserError
from repviz.model.classifier import EmbeddingClassifier
from repviz.snapshot import Snapshot, observing, on_device
from repviz.store import artifacts
from repviz.store.hdf5 import DamagedFileError
from repviz.store.run_folder import CONFIG_FILE, read_run_file
from repviz.store.sample_file import read_sample
from repviz.weights import checkpoint_at, weights_path

log = logging.getLogger("repviz")


class RecordedRun:
    """Loads a run's data and sample once; looks at any of its epochs."""

    def __init__(
        self,
        run_dir: Path,
        config: Mapping[str, Any],
        *,
        scaled_by: Path,
        data_path: str | None = None,
        asked_layers: Sequence[str] = (),
        force: bool = False,
        device: torch.device | str = "cpu",
        trust_pickle: bool = False,
    ) -> None:
        """Load the data.

        Args:
            run_dir: the run.
            config: its configuration.
            scaled_by: a checkpoint of it, for the scaling.
            data_path: its data, where that has moved.
            asked_layers: layers besides those that the network names.
            force: go on with other data than the run was trained on.
            device: where the network and its activations are looked at.
            trust_pickle: whether code in the data's pickles may run; the configuration does not decide that.

        Raises:
            UserError: the data is another.
        """
        self._run_dir = run_dir
        self._device = torch.device(device)
        self._source = EmbeddingSource(_data(run_dir, config, data_path, scaled_by, force, trust_pickle))
        stored = read_sample(run_dir)
        sample, _ = build(self._source, rows_of(stored))
        self._sample = replace(sample, unit_order=stored_unit_order(stored))
        self._asked_layers = asked_layers
        self._layers = tuple(read_run_file(run_dir)["layers"])
        self._last: Snapshot | None = None

    def look(self, epoch: int, due: Sequence[Diagnostic], report: Report = report_to_nobody) -> int:
        """Compute and store ``due`` at ``epoch``; gives how many succeeded.

        Where the run has kept the epoch's activations, and they suffice, the network is not run.

        Raises:
            FileNotFoundError: the epoch's weights are not there any more; or whatever keeps the network from running.
        """
        kept = self._kept(epoch) if not all(diagnostic.needs_model for diagnostic in due) else None
        easy = [diagnostic for diagnostic in due if kept is not None and self._suffices(kept, diagnostic)]
        hard = [diagnostic for diagnostic in due if diagnostic not in easy]
        succeeded = look_at(kept, easy, self._run_dir, report) if easy else 0
        if hard:
            with self.observed(epoch) as snapshot:
                succeeded += look_at(snapshot, hard, self._run_dir, report)
        return succeeded

    @contextmanager
    def observed(self, epoch: int) -> Iterator[Snapshot]:
        """The snapshot of ``epoch`` with its network; the last one is kept, for diagnostics that come one by one."""
        if self._last is None or self._last.epoch != epoch:
            self._last = None
            subject, step = self.subject(epoch)
            with observing(subject.module):
                self._last = subject.snapshot(epoch, step)
        with observing(self._last.model):
            yield self._last

    def subject(self, epoch: int) -> tuple[Subject, int]:
        """The network with the weights of ``epoch``, and the optimiser steps it had done."""
        path = weights_path(self._run_dir, epoch)
        with checkpoint_at(path) as state:
            module = EmbeddingClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True)
            step = int(state["global_step"])
        module.to(self._device)
        layers = named_layers(module, self._asked_layers)
        return Subject(module, layers, module.criterion, self._sample, self._source.whole()), step

    def _suffices(self, kept: Snapshot, diagnostic: Diagnostic) -> bool:
        """Whether the kept activations are all that the diagnostic would look at: its layers, else all of the run's."""
        wanted = set(diagnostic.asked_layers or self._layers)
        return not diagnostic.needs_model and wanted <= set(kept.layers)

    def _kept(self, epoch: int) -> Snapshot | None:
        """The snapshot of activations that were kept while training, if there are any."""
        try:
            dataset = artifacts.read_artifact(self._run_dir, Activations.kind, epoch)
            return on_device(snapshot_of(dataset, self._sample, epoch, int(dataset.attrs["step"])), self._device)
        except FileNotFoundError:
            return None
        except (DamagedFileError, ValueError) as error:
            log.warning("the kept activations of epoch %d are passed over: %s", epoch, error)
            return None


def _data(
    run_dir: Path, config: Mapping[str, Any], path: str | None, checkpoint: Path, force: bool, trust_pickle: bool
) -> EmbeddingDataModule:
    """The run's data with the checkpoint's scaling."""
    try:
        settings = {**config["data"], "path": path or config["data"]["path"], "trust_pickle": trust_pickle}
        data = EmbeddingDataModule(**settings)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the data's settings in {run_dir / CONFIG_FILE} cannot be used: {error}") from error
    data.setup("fit")
    trained_on = read_run_file(run_dir)["data"]["fingerprint"]
    if data.arrays.fingerprint != trained_on and not force:
        raise UserError(
            f"{data.path} is not the data that {run_dir} was trained on: its fingerprint is "
            f"{data.arrays.fingerprint[:12]}, the run's is {trained_on[:12]}. Name the right one with --data, "
            "or go on all the same with --force"
        )
    with checkpoint_at(checkpoint) as state:
        data.load_state_dict(state["EmbeddingDataModule"])
    return data
