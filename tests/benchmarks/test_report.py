"""Records become the rows that they should, and nothing that is missed or failed goes unsaid."""

import dataclasses
import math
import subprocess
import sys
import textwrap

import pytest

from benchmarks.report import machine
from benchmarks.report.__main__ import main, said_at_the_end
from benchmarks.report.record import MET, MISSED, Curve, Record, Row, number, rates, read, times, write
from benchmarks.report.table import page, row_line
from tests.conftest import ROOT

MACHINE = {"processor": "one", "cores": "2"}


def record(name: str = "speed", *rows: Row, **more: object) -> Record:
    given = {"machine": MACHINE, "commit": "abc1234", "began": "2026-01-01T00:00:00Z", "others": 0.1} | more
    return Record(name, name.title(), "What was done.", {"threads": "2"}, list(rows), **given)


def test_a_rate_counts_for_more_and_a_time_for_less():
    fast, slow = (100.0, 120.0), (50.0, 40.0)
    assert rates("batch", fast, slow, "samples/s").values == (2.0, 3.0)
    assert times("grid", slow, fast).values == (2.0, 3.0)


@pytest.mark.parametrize(
    ("values", "sense", "met"),
    [((0.8, 0.9, 1.5), "least", True), ((0.8, 0.89, 1.5), "least", False), ((0.8, 0.9, 0.95), "most", True)],
)
def test_the_median_counts_against_the_bar(values, sense, met):
    row = Row("batch 64", values, "x", 0.9, sense)
    assert row.met is met
    assert ("MISSED" in row_line(row)) is not met


def test_what_is_not_a_number_meets_no_bar():
    assert Row("loss", (math.nan,), "", 1, "least").met is False
    assert Row("loss", (math.nan,), "", 1, "most").met is False


def test_a_row_without_a_run_is_refused():
    with pytest.raises(ValueError, match="no run was measured"):
        Row("nothing", (), "x", 1)


def test_a_row_says_median_spread_runs_both_sides_bar_and_verdict():
    row = rates("batch 512", [92.0, 95.0, 99.0], [100.0, 100.0, 100.0], "samples/s", peer="the loop", bar=0.92)
    assert row_line(row) == (
        "| batch 512 | the loop | **0.95** x | 0.92 to 0.99 | 3 | 95 and 100 samples/s | ≥ 0.92 | met |"
    )
    assert row_line(Row("memory", (5.0,), "GB", 4, "most")) == (
        "| memory | – | **5** GB | – | 1 | – | ≤ 4 | **MISSED** |"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.95, "0.95"), (12.345, "12.35"), (31_234.5, "31,234"), (0.0042, "0.004"), (2e-7, "2.0e-07"), (0.0, "0")],
)
def test_numbers_keep_the_digits_that_count(value, text):
    assert number(value) == text


def test_the_page_names_missed_bars_failures_and_what_was_not_measured():
    text = page(
        [
            record("speed", Row("batch 64", (0.5,), "x", 0.7), Row("batch 512", (0.95,), "x", 0.92)),
            record("graphics", not_measured="there is no GPU"),
            record("broken", failed="it ended with exit code 3"),
            record("elsewhere", Row("size", (1.0,), "GB"), machine={"processor": "two", "cores": "8"}),
        ]
    )
    assert "| [Speed](#speed) | **1 of 2 bars MISSED**: batch 64 |" in text
    assert "| [Graphics](#graphics) | not measured: there is no GPU |" in text
    assert "| [Broken](#broken) | **FAILED**: it ended with exit code 3 |" in text
    assert "`benchmarks/elsewhere.py`, 2026-01-01T00:00:00Z, commit abc1234, machine 2" in text
    assert "| processor | one | two |" in text
    assert "**1 of 2 bars are met.**" in text
    assert "Others took" not in text
    row = Row("size", (1.0,), "GB")
    assert "Others took 90% of the processor" in page([record("speed", row, others=0.9)])


def test_a_record_survives_the_disk(tmp_path):
    curve = Curve("Cost", "points", "s", {"repviz": [(1, 2.0), (10, 3.0)]})
    written = record("speed", rates("batch", [1.0], [2.0], "samples/s", bar=1), curves=[curve])
    assert dataclasses.asdict(read(write(written, tmp_path))) == dataclasses.asdict(written)


def test_finishing_gives_the_exit_code_of_a_missed_bar(tmp_path, capsys):
    assert record("speed", Row("batch 64", (0.5,), "x", 0.7)).finish(tmp_path) == MISSED
    assert "MISSED: batch 64" in capsys.readouterr().out
    assert record("speed", Row("batch 64", (0.8,), "x", 0.7)).finish(tmp_path) == MET
    assert record("speed", not_measured="no GPU").finish(tmp_path) == MET


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
from report.record import Curve, Record, Row
row = Row("all", ({value},), "x", 1)
sys.exit(Record("{name}", "{name}", "", {{}}, [row], [Curve("Cost of it", "rows", "s", {{"a": [(1, 1), (9, 3)]}})])
         .finish(Path(sys.argv[2])))
"""


@pytest.fixture
def scripts(tmp_path, packages):
    """One that meets its bar, one that misses it, one that raises after an earlier run went well."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    benchmarks = str(packages.parents[1] / "benchmarks")
    for name, value in (("good", 2), ("lost", 0.5)):
        (folder / f"{name}.py").write_text(SCRIPT.format(benchmarks=benchmarks, value=value, name=name))
    (folder / "ill.py").write_text("raise RuntimeError('no such thing')")
    write(record("ill", Row("all", (2.0,), "x", 1)), tmp_path / "results")
    return folder


def test_one_that_misses_or_fails_stops_no_other_and_is_named(scripts, tmp_path, capsys):
    results = tmp_path / "results"
    assert main(["--results", str(results)], scripts) == 1
    said = capsys.readouterr().out
    assert "ill FAILED: it ended with exit code 1 and wrote no record" in said
    assert "lost MISSED: all" in said
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| [Ill](#ill) | **FAILED**: it ended with exit code 1 and wrote no record |" in text
    assert "| [good](#good) | 1 of 1 bars met |" in text
    assert (results / "good_cost_of_it.svg").stat().st_size > 1000
    assert main(["good", "--results", str(results)], scripts) == 0
    assert main(["--render", "--results", str(results)], scripts) == 1


def test_what_is_said_at_the_end_is_empty_where_all_went_well():
    assert said_at_the_end([record("speed", Row("batch 64", (0.8,), "x", 0.7))]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are inherited on Linux alone")
def test_what_a_child_leaves_behind_is_not_the_work_of_others():
    """As the processes of a browser, which end after it."""
    code = """
        import os, subprocess, sys, time
        from benchmarks.report import machine
        busy = "while __import__('time').process_time() < 0.5: pass"
        leaves = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}])"
        machine.inherit_orphans()
        counted, before = machine.Others(), sum(os.times()[2:4])
        subprocess.run([sys.executable, "-c", leaves], check=True)
        until = time.monotonic() + 20
        while sum(os.times()[2:4]) - before < 0.5 and time.monotonic() < until:
            time.sleep(0.05)
            counted.share()
        print(sum(os.times()[2:4]) - before)
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 0.5


def test_what_other_programs_take_is_what_is_taken_without_ones_own(monkeypatch):
    busy, own, clock = iter((10.0, 14.0)), iter((1.0, 3.0)), iter((0.0, 4.0))
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(busy))
    monkeypatch.setattr(machine, "_own_seconds", lambda: next(own))
    monkeypatch.setattr(machine.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    assert machine.Others().share() == 0.25


def test_a_system_that_does_not_tell_is_not_accused(monkeypatch):
    monkeypatch.setattr(machine, "_busy_seconds", lambda: None)
    assert machine.Others().share() is None


def test_a_benchmark_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["trainign"])
    assert "no benchmark is called trainign; there are background" in capsys.readouterr().err
