"""``repviz diagnose``: the diagnostics of a run from its checkpoints, later, the same numbers as while training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentParser
from rich.progress import Progress

from repviz.callbacks import callback_classes
from repviz.callbacks.checkpoints import checkpoint_epochs, checkpoint_path
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.looking import look
from repviz.callbacks.sample import build, rows_of
from repviz.callbacks.source import EmbeddingSource
from repviz.callbacks.subject import Subject, named_layers
from repviz.data.datamodule import EmbeddingDataModule
from repviz.errors import UserError
from repviz.model.classifier import EmbeddingClassifier
from repviz.store import artifacts
from repviz.store.run_folder import CONFIG_FILE, read_run_file
from repviz.store.sample_file import read_sample

log = logging.getLogger("repviz")

Task = tuple[int, list[DiagnosticCallback]]
"""An epoch, and what is to be computed of it."""


def diagnose(
    run_dir: Path,
    *,
    data_path: str | None = None,
    epochs: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    force: bool = False,
) -> int:
    """Compute what a run's configuration asks for and is not there yet, from its checkpoints.

    Args:
        run_dir: the run; it may still be training.
        data_path: its data, where that has moved; default: the path in its configuration.
        epochs: which epochs, else those that each diagnostic's ``every_n_epochs`` asks for, the first and the last.
        only: kinds, also ones that the configuration has turned off; default: all that are on.
        settings: settings that replace the configuration's, by ``kind.name``.
        overwrite: compute again what is there.
        force: go on with other data than the run was trained on.

    Returns:
        how many artifacts were computed.

    Raises:
        UserError: there are no checkpoints, an epoch has none, a kind is unknown, the data is another, or a
            diagnostic failed (the others are computed all the same).
    """
    config = yaml.safe_load((run_dir / CONFIG_FILE).read_text("utf-8"))
    callbacks = _callbacks(config, only, settings or {})
    tasks = _tasks(run_dir, callbacks, epochs, overwrite)
    if not tasks:
        log.info("%s: nothing is missing", run_dir)
        return 0
    data = _data(run_dir, config, data_path, checkpoint_path(run_dir, tasks[0][0]), force)
    source = EmbeddingSource(data)
    sample, _ = build(source, rows_of(read_sample(run_dir)))
    asked = [layer for callback in callbacks for layer in callback.diagnostic.asked_layers]
    computed = 0
    with Progress(transient=True) as progress:
        bar = progress.add_task("diagnosing", total=sum(len(due) for _, due in tasks))
        for epoch, due in tasks:
            checkpoint = checkpoint_path(run_dir, epoch)
            module = EmbeddingClassifier.load_from_checkpoint(checkpoint, map_location="cpu", weights_only=True)
            step = torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
            subject = Subject(module, named_layers(module, asked), module.criterion, sample, source.whole())
            diagnostics = [callback.diagnostic for callback in due]
            computed += look(
                subject, diagnostics, run_dir, epoch=epoch, step=step, report=lambda kind, well: progress.advance(bar)
            )
    wanted = sum(len(due) for _, due in tasks)
    if computed < wanted:
        raise UserError(f"{wanted - computed} of {wanted} failed; the reasons are in {run_dir / artifacts.ARTIFACTS}")
    return computed


def _callbacks(
    config: Mapping[str, Any], only: Sequence[str] | None, settings: Mapping[str, Any]
) -> list[DiagnosticCallback]:
    """The run's diagnostics with its settings, checked as the command line checks them."""
    known = callback_classes()
    unknown = sorted({*(only or ()), *(name.partition(".")[0] for name in settings)} - set(known))
    if unknown:
        raise UserError(f"there is no diagnostic {', '.join(unknown)}; there are {', '.join(known)}")
    parser = ArgumentParser(exit_on_error=False)
    for kind, found in known.items():
        parser.add_class_arguments(found, kind)
    blocks = {kind: dict(config.get(kind) or {}) for kind in known}
    for name, value in settings.items():
        kind, _, setting = name.partition(".")
        blocks[kind][setting.replace("-", "_")] = value
    try:
        made = parser.instantiate(parser.parse_object(blocks))
    except Exception as error:  # jsonargparse raises several types; each message names the key
        raise UserError(str(error).strip()) from error
    return [made[kind] for kind in known if (kind in only if only else made[kind].enabled)]


def _tasks(
    run_dir: Path, callbacks: Sequence[DiagnosticCallback], epochs: Sequence[int] | None, overwrite: bool
) -> list[Task]:
    """What is missing, by ascending epoch: a chained diagnostic needs the epochs before."""
    saved = checkpoint_epochs(run_dir)
    if not saved:
        raise UserError(f"{run_dir} has no checkpoints of single epochs; keep them with --keep-checkpoints all")
    without = sorted(set(epochs or ()) - set(saved))
    if without:
        raise UserError(
            f"{run_dir} has no checkpoint of epoch {', '.join(map(str, without[:5]))}; it has {_ranges(saved)}"
        )
    tasks: list[Task] = []
    there = {c.kind: set() if overwrite else set(artifacts.epochs(run_dir, c.kind)) for c in callbacks}
    for epoch in saved:
        wanted = [
            c
            for c in callbacks
            if epoch not in there[c.kind]
            and (epoch in epochs if epochs is not None else c.is_due(epoch, last=epoch == saved[-1]))
        ]
        if wanted:
            tasks.append((epoch, wanted))
    return tasks


def _data(
    run_dir: Path, config: Mapping[str, Any], path: str | None, checkpoint: Path, force: bool
) -> EmbeddingDataModule:
    """The run's data with the checkpoint's scaling."""
    data = EmbeddingDataModule(**{**config["data"], "path": path or config["data"]["path"]})
    data.setup("fit")
    trained_on = read_run_file(run_dir)["data"]["fingerprint"]
    if data.arrays.fingerprint != trained_on and not force:
        raise UserError(
            f"{data.path} is not the data that {run_dir} was trained on: its fingerprint is "
            f"{data.arrays.fingerprint[:12]}, the run's is {trained_on[:12]}. Name the right one with --data, "
            "or go on all the same with --force"
        )
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    data.load_state_dict(state["EmbeddingDataModule"])
    return data


def _ranges(numbers: Sequence[int]) -> str:
    return f"{len(numbers)} of epochs {numbers[0]} to {numbers[-1]}"
