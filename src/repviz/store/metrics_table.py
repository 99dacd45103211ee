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


def write_metrics(run_dir: Path, rows: Iterable[Mapping[str, float]]) -> None:
    """Replace the table; columns beyond ``COLUMNS`` follow in the order they first appear."""
    rows = sorted(rows, key=lambda row: row["epoch"])
    columns = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(name, row.get(name)) for name in columns] for row in rows)
    write_text(Path(run_dir) / METRICS_FILE, text.getvalue())


def read_metrics(run_dir: Path) -> list[Row]:
    """The rows, each with the columns that were measured; no table yet gives no rows.

    Raises:
        ValueError: a cell is not a number.
    """
    try:
        text = (Path(run_dir) / METRICS_FILE).read_text("utf-8")
    except FileNotFoundError:
        return []
    return [
        {name: int(cell) if name in ("epoch", "step") else float(cell) for name, cell in row.items() if cell}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _cell(name: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if name in ("epoch", "step") else repr(float(value))
