"""``repviz diagnose``: the diagnostics of a run from its checkpoints, later, the same numbers as while training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser
from rich.progress import Progress

from repviz.background.pending import remove_settled
from repviz.callbacks import callback_classes
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.diagnostics.activations import Activations
from repviz.errors import UserError
from repviz.recorded import RecordedRun, epochs_with_weights, weights_path
from repviz.store import artifacts
from repviz.store.run_folder import CONFIG_FILE

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
    if not (run_dir / CONFIG_FILE).exists():
        raise UserError(
            f"{run_dir} has no {CONFIG_FILE}: a script made it, and only the script knows its model and data; let its "
            "callbacks look inline or in the background"
        )
    config = yaml.safe_load((run_dir / CONFIG_FILE).read_text("utf-8"))
    callbacks = _callbacks(config, only, settings or {})
    tasks = _tasks(run_dir, callbacks, epochs, overwrite)
    if not tasks:
        log.info("%s: nothing is missing", run_dir)
        return 0
    recorded = RecordedRun(
        run_dir,
        config,
        scaled_by=weights_path(run_dir, tasks[0][0]),
        data_path=data_path,
        asked_layers=[layer for callback in callbacks for layer in callback.diagnostic.asked_layers],
        force=force,
    )
    computed = 0
    with Progress(transient=True) as progress:
        bar = progress.add_task("diagnosing", total=sum(len(due) for _, due in tasks))
        for epoch, due in tasks:
            diagnostics = [callback.diagnostic for callback in due]
            computed += recorded.look(epoch, diagnostics, report=lambda kind, well: progress.advance(bar))
    remove_settled(run_dir, [callback.kind for callback in callbacks])
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
    blocks = {
        kind: {"enabled": found.diagnostic_class.on_by_default} | (config.get(kind) or {})
        for kind, found in known.items()
    }
    for name, value in settings.items():
        kind, _, setting = name.partition(".")
        blocks[kind][setting.replace("-", "_")] = value
    try:
        made = parser.instantiate(parser.parse_object(blocks))
    except Exception as error:  # jsonargparse raises several types; each message names the key
        raise UserError(str(error).strip()) from error
    # Activations are kept while training, to spare the others a forward pass; later they spare nobody anything.
    return [made[kind] for kind in known if (kind in only if only else made[kind].enabled and kind != Activations.kind)]


def _tasks(
    run_dir: Path, callbacks: Sequence[DiagnosticCallback], epochs: Sequence[int] | None, overwrite: bool
) -> list[Task]:
    """What is missing, by ascending epoch: a chained diagnostic needs the epochs before."""
    saved = epochs_with_weights(run_dir)
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


def _ranges(numbers: Sequence[int]) -> str:
    return f"{len(numbers)} of epochs {numbers[0]} to {numbers[-1]}"
