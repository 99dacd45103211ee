"""One row per epoch, gaps where nothing was measured."""

import math

import pytest

from repviz.store.metrics_table import COLUMNS, METRICS_FILE, MetricsTable, read_lines, read_metrics, write_metrics


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


def test_a_table_that_grows_is_the_one_that_is_written_at_once(tmp_path, monkeypatch):
    rows = [{"epoch": n, "step": 7 * n, "val_loss": 1 / (n + 1)} for n in range(5)]
    rows[3]["mine"] = 0.5  # a column that comes late
    growing, whole = tmp_path / "growing", tmp_path / "whole"
    growing.mkdir(), whole.mkdir()
    table = MetricsTable(rows[:1])
    for number, row in enumerate(rows[1:], 2):
        table.append(row)
        if number == 3:  # no room: what could not be written is there the next time

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            with monkeypatch.context() as patch, pytest.raises(OSError, match="space"):
                patch.setattr("repviz.store.metrics_table.write_text", full)
                table.write(growing)
            continue
        table.write(growing)
        write_metrics(whole, rows[:number])
        assert (growing / METRICS_FILE).read_bytes() == (whole / METRICS_FILE).read_bytes()


def test_no_table_has_no_rows_and_a_damaged_one_is_an_error(tmp_path):
    assert read_metrics(tmp_path) == []
    (tmp_path / METRICS_FILE).write_text("epoch,val_loss\n1,abc\n")
    with pytest.raises(ValueError, match="abc"):
        read_metrics(tmp_path)


@pytest.mark.parametrize(
    "how", ["one more", "one fewer", "another in between", "another column", "an empty line", "none"]
)
def test_a_table_read_again_is_as_if_it_was_read_for_the_first_time(tmp_path, how):
    rows = [{"epoch": n, "step": 7 * n, "val_loss": 1 / (n + 1)} for n in range(4)]
    write_metrics(tmp_path, rows)
    before = read_lines(tmp_path)
    match how:
        case "one more":
            write_metrics(tmp_path, [*rows, {"epoch": 4, "step": 28}])
        case "one fewer":
            write_metrics(tmp_path, rows[:-1])
        case "another in between":
            write_metrics(tmp_path, [*rows[:1], rows[1] | {"val_loss": 0.5}, *rows[2:]])
        case "another column":
            write_metrics(tmp_path, [*rows, {"epoch": 4, "step": 28, "mine": 1.0}])
        case "an empty line":
            path = tmp_path / METRICS_FILE
            path.write_text("\n".join([*path.read_text().splitlines()[:2], "", "9,63"]) + "\n")
    again = read_lines(tmp_path, before)
    assert again == read_lines(tmp_path)
    assert again[1] == read_metrics(tmp_path)
    if how not in ("another column", "an empty line"):
        assert sum(new is old for old, new in zip(before[1], again[1], strict=False)) >= 3, (
            "the others are as they were"
        )
