"""Where artifacts lie, and what is listed."""

import json

import numpy as np
import pytest
import xarray as xr

from repviz.store import artifacts

DATASET = xr.Dataset({"x": ("sample", np.arange(4.0))})


def write(run_dir, kind, epoch):
    return artifacts.write_artifact(run_dir, kind, epoch, DATASET, step=7, version=2, previous_epoch=1)


def test_epochs_are_listed_in_order_beyond_six_digits_and_strangers_passed_over(tmp_path):
    for epoch in (1000000, 2, 999999, 0):
        path = write(tmp_path, "probe", epoch)
    assert path.name == "epoch_000000.h5"
    folder = path.parent
    (folder / ".epoch_000007.h5.abc-1.partial").write_text("half")
    (folder / "epoch_7.h5").write_text("not ours")
    assert artifacts.epochs(tmp_path, "probe") == [0, 2, 999999, 1000000]
    assert artifacts.kinds(tmp_path) == ["probe"]


def test_the_file_says_what_it_is(tmp_path):
    write(tmp_path, "probe", 3)
    attrs = artifacts.read_artifact(tmp_path, "probe", 3).attrs
    assert (attrs["kind"], attrs["epoch"], attrs["step"], attrs["version"], attrs["previous_epoch"]) == (
        "probe",
        3,
        7,
        2,
        1,
    )


def test_an_error_is_recorded_and_goes_when_the_artifact_comes(tmp_path):
    artifacts.write_error(tmp_path, "probe", 3, ValueError("too few"), "traceback")
    assert artifacts.kinds(tmp_path) == ["probe"]
    assert artifacts.errors(tmp_path, "probe")[3]["message"] == "too few"
    assert artifacts.epochs(tmp_path, "probe") == []
    write(tmp_path, "probe", 3)
    assert artifacts.errors(tmp_path, "probe") == {}


def test_a_damaged_error_file_is_named_as_damaged(tmp_path):
    path = artifacts.write_error(tmp_path, "probe", 3, ValueError("x"), "")
    path.write_text(json.dumps({})[:1])
    assert artifacts.errors(tmp_path, "probe")[3]["error"] == "DamagedFileError"


def test_later_epochs_are_removed_and_earlier_ones_stay(tmp_path):
    for epoch in range(5):
        write(tmp_path, "probe", epoch)
    artifacts.write_error(tmp_path, "landscape", 4, ValueError("x"), "")
    assert artifacts.remove_after(tmp_path, 2) == 3
    assert artifacts.epochs(tmp_path, "probe") == [0, 1, 2]
    assert artifacts.errors(tmp_path, "landscape") == {}


@pytest.mark.parametrize("kind", ["../probe", "Probe", "", "a/b", ".hidden", "a.b"])
def test_a_kind_is_a_name_and_no_path(tmp_path, kind):
    with pytest.raises(ValueError, match="no artifact can be called"):
        artifacts.artifact_path(tmp_path, kind, 0)


def test_an_artifact_of_the_whole_run_stands_beside_epochs_and_is_written_anew(tmp_path):
    artifacts.write_error(tmp_path, "path", artifacts.WHOLE_RUN, ValueError("too few"), "")
    assert artifacts.kinds(tmp_path) == ["path"]
    assert artifacts.run_error(tmp_path, "path")["message"] == "too few"
    assert not artifacts.has_run_artifact(tmp_path, "path")
    for epoch in (3, 9):
        path = artifacts.write_run_artifact(tmp_path, "path", DATASET, epoch=epoch, step=epoch, version=1)
    assert path.name == "run.h5"
    assert artifacts.read_artifact(tmp_path, "path", artifacts.WHOLE_RUN).attrs["epoch"] == 9
    assert artifacts.run_error(tmp_path, "path") is None
    assert artifacts.has_run_artifact(tmp_path, "path")
    assert artifacts.kinds(tmp_path) == ["path"]
    assert artifacts.epochs(tmp_path, "path") == []


def test_a_run_that_goes_on_has_none_of_the_whole_run(tmp_path):
    write(tmp_path, "probe", 2)
    artifacts.write_run_artifact(tmp_path, "path", DATASET, epoch=2, step=2, version=1)
    artifacts.write_error(tmp_path, "other", artifacts.WHOLE_RUN, ValueError("x"), "")
    assert artifacts.remove_after(tmp_path, 2) == 2
    assert artifacts.kinds(tmp_path) == ["probe"]
