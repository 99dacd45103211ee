"""``results.csv``: the model's best epoch beside the baseline, on the same validation rows."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from repviz.atomic import write_text

RESULTS_FILE = "results.csv"
COLUMNS = ("name", "val_accuracy", "val_f1_macro", "val_f1_confidence")


def write_result(run_dir: Path, name: str, values: Mapping[str, float]) -> None:
    """Add the row ``name``, or replace it."""
    rows = read_results(run_dir) | {name: {column: float(values[column]) for column in COLUMNS[1:]}}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([name, *(repr(row[column]) for column in COLUMNS[1:])] for name, row in rows.items())
    write_text(Path(run_dir) / RESULTS_FILE, text.getvalue())


def read_results(run_dir: Path) -> dict[str, dict[str, float]]:
    """Rows by name; none before training has ended."""
    try:
        text = (Path(run_dir) / RESULTS_FILE).read_text("utf-8")
    except FileNotFoundError:
        return {}
    return {
        row["name"]: {column: float(row[column]) for column in COLUMNS[1:]} for row in csv.DictReader(io.StringIO(text))
    }
