"""``repviz.open_run``: a run folder as labelled arrays, tables and figures, without torch or Lightning."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from repviz.errors import UserError
from repviz.store import artifacts, run_folder
from repviz.store.metrics_table import COLUMNS, read_metrics
from repviz.store.sample_file import read_sample

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


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

    def read(self, kind: str, epoch: int) -> xr.Dataset:
        """The dataset of ``kind`` at ``epoch``.

        Raises:
            UserError: there is none at that epoch.
            DamagedFileError: the file is there but cannot be read.
        """
        try:
            return artifacts.read_artifact(self.path, kind, epoch)
        except FileNotFoundError:
            there = self.epochs(kind)
            found = f"epochs {there[0]} to {there[-1]} ({len(there)})" if there else "none"
            raise UserError(f"run {self.name} has no {kind!r} at epoch {epoch}; there is {found}") from None

    def history(self, kind: str) -> xr.Dataset:
        """All epochs of ``kind`` as one dataset with an ``epoch`` dimension.

        Raises:
            UserError: there is no epoch of it.
        """
        there = self.epochs(kind)
        if not there:
            raise UserError(f"run {self.name} has no {kind!r}; there is {', '.join(self.kinds()) or 'nothing yet'}")
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

    def figure(self, kind: str, epoch: int | None = None, **view: Any) -> go.Figure:
        """Draw ``kind`` at ``epoch`` (default: the last); ``view`` are the fields of ``repviz.figures.View``."""
        from repviz.figures.registry import figure_of
        from repviz.figures.view import View

        there = self.epochs(kind)
        wanted = epoch if epoch is not None or not there else there[-1]
        return figure_of(kind)(self.read(kind, 0 if wanted is None else wanted), View(**view))

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        info = self.info()
        rows = read_metrics(self.path)
        facts = {
            "state": info["state"],
            "epochs": rows[-1]["epoch"] if rows else 0,
            "best val accuracy": max((r["val_accuracy"] for r in rows if "val_accuracy" in r), default=None),
            "data": info.get("data", {}).get("path"),
            "artifacts": ", ".join(f"{kind} ({len(self.epochs(kind))})" for kind in self.kinds()) or "none",
        }
        lines = "".join(f"<tr><th>{escape(k)}</th><td>{escape(str(v))}</td></tr>" for k, v in facts.items())
        return f"<table><caption>repviz run {escape(self.name)}</caption>{lines}</table>"
