"""Which figures of a run are taken along: each kind at one epoch, and over the epochs where it can be drawn so."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from repviz.errors import UserError
from repviz.figures import metrics
from repviz.figures.registry import figure_kinds, picture_of
from repviz.figures.view import View
from repviz.run import Run
from repviz.store.artifacts import has_run_artifact

CURVES = "metrics"
"""The learning curves, which are no diagnostic but are asked for like one."""
OVER_EPOCHS = "over_epochs"


@dataclass(frozen=True)
class Picture:
    """A figure and what it shows.

    Attributes:
        kind: the diagnostic, or ``metrics``.
        epoch: its epoch; None for all epochs in one.
        figure: drawn.
    """

    kind: str
    epoch: int | None
    figure: go.Figure

    @property
    def name(self) -> str:
        """As a file is called, without ending."""
        return f"{self.kind}_{OVER_EPOCHS}" if self.epoch is None else f"{self.kind}_epoch_{self.epoch:06d}"


def pictures(
    run: Run,
    kinds: Sequence[str] | None = None,
    which: str | int = "best",
    theme: str = "light",
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Picture]:
    """Figures of ``kinds`` (None = the curves and every kind that has a figure).

    Args:
        run: whose.
        kinds: diagnostics, or ``metrics``.
        which: ``best``, ``last`` or an epoch; of a kind that was not measured then, the nearest epoch is drawn.
        theme: ``light`` or ``dark``.
        options: of ``View``, by kind.

    Raises:
        UserError: a kind that is asked for is not there or has no figure.
    """
    wanted = wanted_epoch(run, which)
    for kind in drawable(run) if kinds is None else kinds:
        view = View(theme=theme, options=(options or {}).get(kind, {}))
        if kind == CURVES:
            marks = {"monitor": run.info().get("monitor", "val_accuracy")}
            if which != "best":  # which is marked anyway
                marks["epoch"] = wanted
            yield Picture(CURVES, None, metrics.figure(run.metrics(), View(theme=theme, options=marks)))
            continue
        epochs = run.epochs(picture_of(kind).kind)
        if epochs:
            yield at_epoch(run, kind, nearest(epochs, wanted), view)
        if not epochs or has_history(run, kind):  # of the whole run, or not there: the run says which
            yield of_whole_run(run, kind, view)


def at_epoch(run: Run, kind: str, epoch: int, view: View) -> Picture:
    """One epoch's figure of a kind that has an artifact there."""
    return Picture(kind, epoch, run.drawn(picture_of(kind), epoch, view))


def has_history(run: Run, kind: str) -> bool:
    """Whether a kind is drawn over the epochs and there are several."""
    picture = picture_of(kind)
    return picture.over_epochs is not None and len(run.epochs(picture.kind)) > 1


def of_whole_run(run: Run, kind: str, view: View) -> Picture:
    """All epochs of a kind in one figure, or what has looked at the run as a whole."""
    picture = picture_of(kind)
    if run.epochs(picture.kind):
        return Picture(kind, None, picture.over_epochs(run.history(picture.kind), view))
    return Picture(kind, None, run.drawn(picture, None, view))


def drawable(run: Run) -> list[str]:
    """The curves, and every kind that has an artifact and a figure."""
    known = set(figure_kinds())
    return [
        CURVES,
        *(kind for kind in run.kinds() if kind in known and (run.epochs(kind) or has_run_artifact(run.path, kind))),
    ]


def wanted_epoch(run: Run, which: str | int) -> int:
    """The epoch that ``best``, ``last`` or a number means; without any measured score the best is the last.

    Raises:
        UserError: it is none of them.
    """
    table = run.metrics()
    last = max([*table["epoch"], *(epoch for kind in run.kinds() for epoch in run.epochs(kind)), 0])
    if which == "last":
        return int(last)
    if which == "best":
        found = metrics.best_epoch(table, run.info().get("monitor", "val_accuracy"))
        return int(last) if found is None else found
    try:
        epoch = int(which)
    except ValueError:
        epoch = -1
    if epoch < 0:
        raise UserError(f"epoch={which!r}: give best, last or a number")
    return epoch


def nearest(epochs: Sequence[int], wanted: int) -> int:
    """The epoch next to ``wanted``, the earlier of two."""
    return min(epochs, key=lambda epoch: (abs(epoch - wanted), epoch))
