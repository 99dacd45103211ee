"""What a training run looks at: its network on the run's sample, drawn from the run's data."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lightning.pytorch import LightningModule, Trainer

from repviz.callbacks.dataset_source import Unpack, source_of
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.looking import present_unit_order
from repviz.callbacks.sample import SampleSettings, sample_of_run
from repviz.callbacks.source import Source
from repviz.callbacks.subject import Criterion, Subject, criterion_of
from repviz.snapshot import Sample

LookAt = Callable[[Path], tuple[Source, Subject]]
"""Gives what is looked at in the run of a folder."""


def subject_of_run(
    trainer: Trainer,
    pl_module: LightningModule,
    callbacks: Sequence[DiagnosticCallback],
    layers: Mapping[str, str | None],
    points: SampleSettings | Sample,
    unpack: Unpack,
    criterion: Criterion | None,
    run_dir: Path,
) -> tuple[Source, Subject]:
    """What is looked at; the first to ask, rank zero, writes the sample.

    Args:
        trainer: whose loaders hold the data.
        pl_module: the network.
        callbacks: by whom it is looked at.
        layers: see ``Subject``.
        points: how the sample is drawn, or the sample itself.
        unpack: a batch to the network's inputs and labels.
        criterion: the loss that training uses; the module's own when not given.
        run_dir: where the sample lies.
    """
    source = source_of(trainer, pl_module, unpack, points if isinstance(points, Sample) else None)
    criterion = criterion or criterion_of(pl_module)

    def of(sample: Sample) -> Subject:
        return Subject(pl_module, layers, criterion, sample, source.whole())

    diagnostics = [callback.diagnostic for callback in callbacks]
    sample = sample_of_run(run_dir, points, source, diagnostics, lambda sample: present_unit_order(of(sample)))
    return source, of(sample)
