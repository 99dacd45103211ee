"""``repviz.open_run``: a run folder as labelled arrays, tables and figures, without torch or Lightning."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from repviz.errors import UserError
from repviz.store import artifacts, run_folder
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.metrics_table import COLUMNS, read_metrics
from repviz.store.results_table import COLUMNS as RESULTS
from repviz.store.results_table import read_results
from repviz.store.sample_file import read_sample

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from repviz.figures.registry import Picture
    from repviz.figures.view import View
    from repviz.map_widget import MapWidget
    from repviz.theme import Theme


def open_run(path: str | Path) -> Run:
    """Open a run folder (``runs/<time>``), finished or still running.

    Raises:
        UserError: the folder is not a run.
    """
    folder = Path(path)
    if not run_folder.is_run(folder):
        known = sorted(p.name for p in folder.iterdir() if run_folder.is_run(p)) if folder.is_dir() else []
        hint = f" It holds runs: {', '.join(known[-5:])}." if known else ""
        raise UserError(f"{folder} is not a run: there is no {run_folder.RUN_FILE} in it.{hint}")
    return Run(folder)


class Run:
    """A run folder: what was measured, epoch by epoch. Reads afresh at each call, so a live run can be followed."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    def info(self) -> dict[str, Any]:
        """Content of ``run.json``, ``state`` being ``running``, ``finished``, ``stopped``, ``failed`` or ``killed``."""
        return run_folder.read_run_file(self.path)

    def kinds(self) -> list[str]:
        """Kinds of artifacts there are, or that failed."""
        return artifacts.kinds(self.path)

    def epochs(self, kind: str) -> list[int]:
        """Epochs for which ``kind`` has an artifact, ascending."""
        return artifacts.epochs(self.path, kind)

    def errors(self, kind: str) -> dict[int, dict[str, Any]]:
        """What went wrong for ``kind``, by epoch."""
        return artifacts.errors(self.path, kind)

    def run_error(self, kind: str) -> dict[str, Any] | None:
        """What went wrong for ``kind`` with the whole run, None where nothing did."""
        return artifacts.run_error(self.path, kind)

    def read(self, kind: str, epoch: int | None = None) -> xr.Dataset:
        """The dataset of ``kind`` at ``epoch``; without an epoch, that of the whole run.

        Raises:
            UserError: there is none.
            DamagedFileError: the file is there but cannot be read.
        """
        try:
            return artifacts.read_artifact(self.path, kind, epoch)
        except FileNotFoundError:
            there = self._there(kind)
            if not there:
                raise UserError(self._nothing_of(kind)) from None
            at = "of the whole run" if epoch is None else f"at epoch {epoch}"
            raise UserError(f"run {self.name} has no {kind!r} {at}; there is {there}") from None

    def _there(self, kind: str) -> str:
        """What there is of a kind, in words; empty where there is nothing."""
        there = self.epochs(kind)
        found = [f"epochs {there[0]} to {there[-1]} ({len(there)})"] if there else []
        if artifacts.has_run_artifact(self.path, kind):
            found.append("one of the whole run, read without an epoch")
        return ", ".join(found)

    def _nothing_of(self, kind: str) -> str:
        return (
            f"run {self.name} has no {kind!r}; there is {', '.join(self.kinds()) or 'nothing yet'} "
            "('repviz diagnose --only KIND' computes others from its checkpoints)"
        )

    def history(self, kind: str) -> xr.Dataset:
        """All epochs of ``kind`` as one dataset with an ``epoch`` dimension.

        Raises:
            UserError: there is no epoch of it.
        """
        there = self.epochs(kind)
        if not there:
            if artifacts.has_run_artifact(self.path, kind):
                raise UserError(
                    f"{kind!r} has no history: it is one dataset of the whole run, as read({kind!r}) gives it"
                )
            raise UserError(self._nothing_of(kind))
        parts = [self.read(kind, epoch) for epoch in there]
        return xr.concat(parts, xr.Variable("epoch", there), combine_attrs="drop_conflicts", join="outer")

    def sample(self) -> xr.Dataset:
        """The fixed sample: ``index``, ``id``, ``split``, ``label`` and, where known, ``text`` and ``tabular``."""
        return read_sample(self.path)

    def metrics(self) -> pd.DataFrame:
        """``metrics.csv``: one row per epoch, NaN where not measured."""
        import pandas as pd

        rows = read_metrics(self.path)
        columns = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
        return pd.DataFrame(rows, columns=columns)

    def results(self) -> pd.DataFrame:
        """``results.csv``: scores of the best epoch and of the baseline, by name; no rows before training has ended."""
        import pandas as pd

        rows = read_results(self.path)
        return pd.DataFrame.from_dict(rows, orient="index", columns=RESULTS[1:]).rename_axis(RESULTS[0])

    def points(self, epoch: int | str = "best") -> pd.DataFrame:
        """What is known of every point of the sample, a row each: ``index``, ``id``, ``label``, ``split``, ``text``.

        Also the tabular columns, and of the epoch with predictions nearest to ``epoch`` (``best``, ``last`` or a
        number) ``predicted``, ``confidence``, ``correct``. Row numbers are those of ``sample`` in every dataset.
        """
        import pandas as pd

        from repviz.exports.pictures import wanted_epoch
        from repviz.exports.points import point_columns

        columns, _ = point_columns(self, wanted_epoch(self, epoch))
        return pd.DataFrame(columns).rename_axis("sample")

    def map(
        self, layer: str | None = None, epoch: int | None = None, method: str | None = None, theme: Theme = "light"
    ) -> MapWidget:
        """A layer's map as a widget for notebooks, with a slider of epochs and a lasso for ``.selected`` points.

        Args:
            layer: default: the penultimate one.
            epoch: what is shown first; default: the last.
            method: ``umap`` or ``pca``; default: UMAP where there is one.
            theme: ``light`` or ``dark``.

        Raises:
            UserError: there is no such map, or the extra ``notebook`` is not installed.
        """
        from repviz.map_widget import MapWidget

        return MapWidget(self, layer, epoch, method, theme)

    def figure(self, kind: str, epoch: int | None = None, **view: Any) -> go.Figure:
        """Draw ``kind`` at ``epoch`` (default: the whole run where it is drawn as one, else the last epoch).

        ``kind`` may also be another picture of a kind, as ``scatter_matrix`` is one of ``projection``; ``view`` are the
        fields of ``repviz.figures.View``.
        """
        from repviz.figures.registry import picture_of
        from repviz.figures.view import View

        picture = picture_of(kind)
        there = self.epochs(picture.kind)
        if epoch is None and there and not artifacts.has_run_artifact(self.path, picture.kind):
            epoch = there[-1]
        return self.drawn(picture, epoch, View(**view))

    def drawn(self, picture: Picture, epoch: int | None, view: View) -> go.Figure:
        """``picture`` at ``epoch`` (None = of the whole run), with what it wants to see of other epochs.

        Other epochs whose files are damaged count as not there; errors about ``epoch`` itself are those of ``read``.
        """
        dataset = self.read(picture.kind, epoch)
        if epoch is not None:
            view = picture.with_beside(
                view, epoch, self.epochs(picture.kind), lambda other, names: self._readable(picture.kind, other, names)
            )
        return picture.figure(dataset, view)

    def _readable(self, kind: str, epoch: int, names: tuple[str, ...] | None) -> xr.Dataset | None:
        try:
            return artifacts.read_artifact(self.path, kind, epoch, names)
        except (FileNotFoundError, DamagedFileError, NewerFormatError):
            return None

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        info, rows, results = self.info(), read_metrics(self.path), read_results(self.path)
        scored = [row for row in rows if "val_accuracy" in row and row["epoch"] > 0]
        best = max(scored, key=lambda row: row["val_accuracy"], default=None)
        baseline = results.get("logistic_regression")
        failed = [f"{kind} ({len(self.errors(kind))})" for kind in self.kinds() if self.errors(kind)]
        failed += [f"{kind} (run)" for kind in self.kinds() if self.run_error(kind)]
        facts = {
            "state": info["state"],
            "epochs": int(rows[-1]["epoch"]) if rows else 0,
            "best val accuracy": best and f"{best['val_accuracy']:.4f} at epoch {int(best['epoch'])}",
            "logistic regression": baseline and f"{baseline['val_accuracy']:.4f}",
            "data": info.get("data", {}).get("path"),
            "points": ", ".join(f"{number} {split}" for split, number in info.get("sample", {}).items() if number),
            "classes": len(info.get("classes", [])),
            "layers": ", ".join(info.get("layers", [])),
            "artifacts": ", ".join(f"{kind} ({self._count(kind)})" for kind in self.kinds()) or "none",
            "failed": ", ".join(failed),
        }
        left = 'style="text-align: left"'
        lines = "".join(
            f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(str(value))}</td></tr>"
            for name, value in facts.items()
            if value not in (None, "", 0) or name == "epochs"
        )
        return f"<table><caption {left}>repviz run {escape(self.name)}</caption>{lines}</table>"

    def _count(self, kind: str) -> str:
        return "run" if artifacts.has_run_artifact(self.path, kind) else str(len(self.epochs(kind)))
