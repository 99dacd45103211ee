"""A run folder from a notebook, without torch."""

import numpy as np
import pytest
import xarray as xr

import repviz
from repviz.errors import UserError
from repviz.figures.registry import Picture
from repviz.store import artifacts, run_folder
from repviz.store.hdf5 import DamagedFileError
from repviz.store.metrics_table import write_metrics
from repviz.store.results_table import write_result
from repviz.store.sample_file import write_sample


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "20260101_000000"
    folder.mkdir()
    run_folder.write_run_file(folder, {"state": "finished", "data": {"path": "<b>mine</b>.npz"}})
    write_metrics(folder, [{"epoch": 0, "step": 0, "val_accuracy": 0.1}, {"epoch": 1, "step": 5, "train_loss": 2.0}])
    for epoch in (0, 2, 10):
        dataset = xr.Dataset({"accuracy": ("layer", np.array([epoch, epoch + 0.5]))}, {"layer": ["input", "logits"]})
        artifacts.write_artifact(folder, "probe", epoch, dataset, step=epoch, version=1)
    return folder


def test_a_history_is_one_labelled_dataset(run_dir):
    history = repviz.open_run(run_dir).history("probe")
    assert history.accuracy.dims == ("epoch", "layer")
    assert list(history.epoch.values) == [0, 2, 10]
    assert float(history.accuracy.sel(epoch=10, layer="logits")) == 10.5


def test_metrics_are_a_table_with_gaps(run_dir):
    table = repviz.open_run(run_dir).metrics()
    assert list(table.epoch) == [0, 1]
    assert np.isnan(table.train_loss[0])
    assert table.train_loss[1] == 2.0


def test_what_is_missing_is_said_with_what_there_is(run_dir, tmp_path):
    run = repviz.open_run(run_dir)
    with pytest.raises(UserError, match=r"no 'probe' at epoch 3; there is epochs 0 to 10 \(3\)"):
        run.read("probe", 3)
    with pytest.raises(UserError, match="no 'landscape'; there is probe"):
        run.history("landscape")
    with pytest.raises(UserError, match=r"no 'landscape'; there is probe.*repviz diagnose --only KIND"):
        run.read("landscape")
    with pytest.raises(UserError, match=r"is not a run.*It holds runs: 20260101_000000"):
        repviz.open_run(tmp_path)


def test_what_is_of_the_whole_run_is_read_without_an_epoch(run_dir):
    dataset = xr.Dataset({"length": ("axis", np.arange(2.0))})
    artifacts.write_run_artifact(run_dir, "path", dataset, epoch=10, step=50, version=1)
    run = repviz.open_run(run_dir)
    assert run.kinds() == ["path", "probe"]
    assert list(run.read("path").length.values) == [0, 1]
    assert run.run_error("path") is None
    assert "path (run)" in run._repr_html_()
    with pytest.raises(UserError, match=r"no 'path' at epoch 3; there is one of the whole run, read without an epoch"):
        run.read("path", 3)
    with pytest.raises(UserError, match=r"no 'probe' of the whole run; there is epochs 0 to 10 \(3\)"):
        run.read("probe")
    with pytest.raises(UserError, match=r"no history.*read\('path'\)"):
        run.history("path")


def test_the_default_figure_is_the_last_epochs_or_the_runs(run_dir, monkeypatch):
    drawn = []

    def picture_of(kind):
        return Picture(kind, kind, lambda dataset, view: drawn.append(dataset))

    monkeypatch.setattr("repviz.figures.registry.picture_of", picture_of)
    run = repviz.open_run(run_dir)
    run.figure("probe")
    dataset = xr.Dataset({"length": ("axis", np.arange(2.0))})
    artifacts.write_run_artifact(run_dir, "path", dataset, epoch=7, step=50, version=1)
    run.figure("path")
    assert [dataset.attrs["epoch"] for dataset in drawn] == [10, 7]


def test_a_figure_is_drawn_beside_the_other_epochs_it_asks_for_without_damaged_ones(run_dir, monkeypatch):
    seen = []
    picture = Picture(
        *("probe", "probe", lambda dataset, view: seen.append(view.beside)),
        beside=lambda view, epoch, epochs: [other for other in epochs if other != epoch],
        beside_variables=("accuracy",),
    )
    monkeypatch.setattr("repviz.figures.registry.picture_of", lambda kind: picture)
    run = repviz.open_run(run_dir)
    artifacts.artifact_path(run_dir, "probe", 2).write_bytes(b"broken")
    run.figure("probe", 10)
    assert list(seen[0]) == [0]
    assert list(seen[0][0].data_vars) == ["accuracy"]
    np.testing.assert_array_equal(seen[0][0]["accuracy"], run.read("probe", 0)["accuracy"])


def test_a_damaged_artifact_is_named(run_dir):
    artifacts.artifact_path(run_dir, "probe", 2).write_bytes(b"broken")
    with pytest.raises(DamagedFileError, match=r"probe/epoch_000002\.h5"):
        repviz.open_run(run_dir).read("probe", 2)


def test_results_and_points_are_tables(run_dir):
    run = repviz.open_run(run_dir)
    assert len(run.results()) == 0
    scores = {"val_accuracy": 0.5, "val_f1_macro": 0.25, "val_f1_confidence": 0.75}
    write_result(run_dir, "model_best", scores)
    assert run.results().loc["model_best"].to_dict() == scores
    sample = {"index": [4, 9], "id": ["p", "q"], "label": [1, -1], "split": np.array([0, 2], np.int8)}
    write_sample(run_dir, xr.Dataset({name: ("sample", np.array(values)) for name, values in sample.items()}))
    run_folder.write_run_file(run_dir, {"state": "finished", "classes": ["x", "y"]})
    points = run.points()
    assert points.index.name == "sample"
    assert points.to_dict("list") == {
        **{"index": [4, 9], "id": ["p", "q"], "label": ["y", "no class"], "split": ["train", "excluded"]}
    }
    logits = np.array([[2.0, 1.0], [0.0, 1.0]])
    artifacts.write_artifact(
        run_dir, "prediction", 1, xr.Dataset({"logits": (("sample", "class"), logits)}), step=5, version=1
    )
    assert list(run.points().predicted) == ["x", "y"]


def test_the_notebook_summary_shows_texts_and_runs_none(run_dir):
    artifacts.write_error(run_dir, "landscape", 3, ValueError("no"), "")
    html = repviz.open_run(run_dir)._repr_html_()
    assert "&lt;b&gt;mine" in html
    assert "<b>" not in html
    assert "probe (3)" in html
    assert "landscape (1)" in html
    assert "best val accuracy" not in html  # the untrained network's is none
