"""The list of runs, and what is wrong with one."""

import numpy as np
import pytest
import xarray as xr

from repviz.errors import UserError
from repviz.store import artifacts, run_folder
from repviz.store.listing import newest, problems, run_dirs, table
from repviz.store.metrics_table import write_metrics


def make(runs_dir, name, **content):
    folder = runs_dir / name
    folder.mkdir(parents=True)
    run_folder.write_run_file(folder, {"state": "finished", "max_epochs": 9, "kinds": ["probe"], **content})
    return folder


def test_runs_are_listed_newest_first_and_damaged_ones_named(tmp_path):
    old, new = make(tmp_path, "20260101_000000"), make(tmp_path, "20260102_000000")
    (tmp_path / "notes").mkdir()
    (tmp_path / "20260103_000000").mkdir()
    (tmp_path / "20260103_000000" / "run.json").write_text("{")
    write_metrics(new, [{"epoch": 0, "step": 0, "val_accuracy": 0.9}, {"epoch": 4, "step": 1, "val_accuracy": 0.5}])
    assert run_dirs(tmp_path)[1:] == [new, old]
    lines = table(tmp_path).splitlines()
    assert lines[1].split()[:2] == ["20260103_000000", "damaged"]
    assert lines[2].split()[:4] == ["20260102_000000", "finished", "4/9", "0.5000"]
    assert newest(tmp_path).name == "20260103_000000"


def test_no_runs_is_said_with_what_makes_one(tmp_path):
    assert "repviz fit" in table(tmp_path / "none")
    with pytest.raises(UserError, match="repviz fit"):
        newest(tmp_path)


def test_problems_are_failed_missing_and_unfinished(tmp_path):
    run_dir = make(tmp_path, "a", state="failed", kinds=["probe", "projection"])
    artifacts.write_artifact(run_dir, "probe", 0, xr.Dataset({"x": ("s", np.zeros(2))}), step=0, version=1)
    artifacts.write_error(run_dir, "probe", 1, ValueError("bad"), "")
    assert problems(run_dir) == [
        "a is failed, not finished",
        "probe failed at epoch 1: ValueError: bad",
        "projection is configured, but has no artifact",
    ]
    artifacts.write_error(run_dir, "projection", artifacts.WHOLE_RUN, ValueError("too few"), "")
    assert "projection failed over the run: ValueError: too few" in problems(run_dir)
    complete = make(tmp_path, "b", kinds=["trajectory"])
    assert problems(complete) == ["trajectory is configured, but has no artifact"]
    dataset = xr.Dataset({"x": ("s", np.zeros(2))})
    artifacts.write_run_artifact(complete, "trajectory", dataset, epoch=0, step=0, version=1)
    artifacts.write_artifact(complete, "probe", 0, xr.Dataset({"x": ("s", np.zeros(2))}), step=0, version=1)
    assert problems(complete) == []
