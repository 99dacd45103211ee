"""What the benchmarks that take minutes make of what they measured."""

from pathlib import Path

import background
import whole_run
from benchmarks.report.record import MET, MISSED, read


def test_a_missing_artifact_or_a_slow_hand_over_is_a_missed_bar(monkeypatch, tmp_path):
    def rows_of(code):
        assert background.main(["--repeats", "2", "--results", str(tmp_path)]) == code
        return {row.name: row for row in read(tmp_path / "background.json").rows}

    def took(beside, *missing, crowded=10.8):
        found = background.Round(10.0, crowded, beside, missing, 100)
        monkeypatch.setattr(background, "once_round", lambda *_: found)

    took(11.0)
    monkeypatch.setattr(background, "handing_over", lambda width, _: (width * 1_025, [1.0, 1.0], [4.0, 4.0]))
    rows = rows_of(MET)
    slower = rows["time until the last step (less is better), against the same run without diagnostics"]
    assert slower.values == (1.1, 1.1)
    assert rows["handing 51 million parameters over (less is better), against a copy of the weights"].median == 0.25
    took(11.0, "probe 3")
    assert rows_of(MISSED)["due artifacts missing after draining"].met is False
    took(12.0, crowded=12.0)
    rows_of(MISSED)
    took(11.0, crowded=10.0)
    rows_of(MISSED)
    took(11.0)
    monkeypatch.setattr(background, "handing_over", lambda width, _: (width * 1_025, [8.0, 8.0], [4.0, 4.0]))
    rows_of(MISSED)


def test_the_obvious_way_is_training_and_looking(monkeypatch, tmp_path):
    def fit(data, epochs, *options):
        return (20.0 if "inline" in options else 5.0), Path(tmp_path), None

    monkeypatch.setattr(whole_run, "fit", fit)
    monkeypatch.setattr(whole_run, "load", lambda: None)
    monkeypatch.setattr(whole_run, "obvious", lambda run_dir, epochs: 115.0)
    assert whole_run.main(["--results", str(tmp_path)]) == MET
    (row,) = read(tmp_path / "whole_run.json").rows
    assert (row.median, row.ours, row.theirs) == (6.0, (20.0,), (120.0,))
    monkeypatch.setattr(whole_run, "obvious", lambda run_dir, epochs: 75.0)
    assert whole_run.main(["--results", str(tmp_path)]) == MISSED
