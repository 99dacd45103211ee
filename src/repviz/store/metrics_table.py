"""``metrics.csv``: one row per epoch, a gap where something was not measured."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from repviz.atomic import write_text

METRICS_FILE = "metrics.csv"
COLUMNS = (
    "epoch",
    "step",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "val_f1_macro",
    "val_f1_confidence",
    "excl_loss",
    "excl_accuracy",
    "lr",
    "grad_norm",
)

Row = dict[str, float]
Lines = tuple[list[str], list[Row]]
"""What a table is written as, and what it says."""


class MetricsTable:
    """The table while it grows: a row is made text once, not at every epoch that follows."""

    def __init__(self, rows: Iterable[Mapping[str, float]] = ()) -> None:
        """Args: rows, each with its ``epoch``, in any order."""
        self.rows: list[Row] = []
        self._columns: list[str] = []
        self._lines: list[str] = []
        for row in sorted(rows, key=lambda row: row["epoch"]):
            self.append(row)

    def append(self, row: Mapping[str, float]) -> None:
        """One more row, of a later epoch; it must not be changed from now on."""
        self.rows.append(dict(row))

    def write(self, run_dir: Path) -> None:
        """Replace the file; columns beyond ``COLUMNS`` follow in the order they first appear."""
        new = self.rows[len(self._lines) :]
        columns = list(dict.fromkeys([*(self._columns or COLUMNS), *(name for row in new for name in row)]))
        if columns != self._columns:
            self._columns, self._lines, new = columns, [], self.rows
        self._lines += [_line(_cell(name, row.get(name)) for name in columns) for row in new]
        write_text(Path(run_dir) / METRICS_FILE, _line(columns) + "".join(self._lines))


def write_metrics(run_dir: Path, rows: Iterable[Mapping[str, float]]) -> None:
    """Replace the table by these rows."""
    MetricsTable(rows).write(run_dir)


def read_metrics(run_dir: Path) -> list[Row]:
    """The rows, each with the columns that were measured; no table yet gives no rows.

    Raises:
        ValueError: a cell is not a number.
    """
    return read_lines(run_dir)[1]


def read_lines(run_dir: Path, before: Lines | None = None) -> Lines:
    """Lines of the file, with its header, and its rows, as ``read_metrics`` gives them.

    A row whose line is as in ``before`` is taken from there: one more row of thousands costs one.
    """
    try:
        lines = list(io.StringIO((Path(run_dir) / METRICS_FILE).read_text("utf-8")))
    except FileNotFoundError:
        return [], []
    known, rows = before or ([], [])
    if known[:1] != lines[:1] or len(rows) != len(known) - 1:  # another header, or lines that are no rows
        return lines, _parsed(lines)
    news = [k for k, line in enumerate(lines) if k >= len(known) or line != known[k]]
    made = dict(zip(news, parsed := _parsed([lines[0], *(lines[k] for k in news)]), strict=False))
    if len(parsed) != len(news):  # an empty line, say, is none
        return lines, _parsed(lines)
    return lines, [made[k] if k in made else rows[k - 1] for k in range(1, len(lines))]


def _parsed(lines: Iterable[str]) -> list[Row]:
    return [
        {name: int(cell) if name in ("epoch", "step") else float(cell) for name, cell in row.items() if cell}
        for row in csv.DictReader(lines)
    ]


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _cell(name: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if name in ("epoch", "step") else repr(float(value))
