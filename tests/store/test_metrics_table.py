"""One row per epoch, gaps where nothing was measured."""

import math

import pytest

from repviz.store.metrics_table import COLUMNS, METRICS_FILE, read_metrics, write_metrics


def test_gaps_stay_gaps_and_numbers_stay_exact(tmp_path):
    rows = [
        {"epoch": 1, "step": 7, "train_loss": 0.1 + 0.2, "mine": 1e-17},
        {"epoch": 0, "step": 0, "val_loss": math.nan},
    ]
    write_metrics(tmp_path, rows)
    lines = (tmp_path / METRICS_FILE).read_text().splitlines()
    assert lines[0] == ",".join([*COLUMNS, "mine"])
    assert lines[1] == "0,0" + "," * 11
    assert read_metrics(tmp_path) == [{"epoch": 0, "step": 0}, rows[0]]


def test_no_table_has_no_rows_and_a_damaged_one_is_an_error(tmp_path):
    assert read_metrics(tmp_path) == []
    (tmp_path / METRICS_FILE).write_text("epoch,val_loss\n1,abc\n")
    with pytest.raises(ValueError, match="abc"):
        read_metrics(tmp_path)
