"""Training that is looked at: nothing changes by looking, and what was seen is complete and readable."""

import shutil

import numpy as np
import pytest

import repviz
from repviz.cli import main
from repviz.diagnostics.projection import Projection
from repviz.diagnostics.registry import all_classes
from repviz.store.metrics_table import read_metrics
from tests.conftest import ROOT
from tests.training.conftest import same_weights, weights

LOOK = ["--diagnostics", "inline", "--sample.size", "150", "--sample.excluded", "20"]
CONFIGS = sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))
INLINE = ["--diagnostics", "inline"]
"""One configuration and one layer look beside training, as they say; the others are spared the start of a process."""
LAYERS = sorted(path.name for path in (ROOT / "configs" / "diagnostics").glob("*.yaml"))


def test_the_weights_are_the_same_with_and_without_looking(fit):
    seen = fit("--trainer.max_epochs", "2", *LOOK)
    unseen = fit("--trainer.max_epochs", "2")
    assert same_weights(weights(seen), weights(unseen))
    assert (seen / "metrics.csv").read_text() == (unseen / "metrics.csv").read_text()


def test_every_epoch_is_seen_on_the_fixed_sample(fit):
    run = repviz.open_run(fit("--trainer.max_epochs", "3", "--projection.every_n_epochs", "2", *LOOK))
    assert "projection" in run.kinds()
    assert run.epochs("projection") == [0, 2, 3]
    assert run.errors("projection") == {}
    last = run.read("projection", 3)
    assert list(last.layer.values) == ["input", "block1", "block2", "penultimate", "logits"]
    assert np.isfinite(last.coordinates).all()
    np.testing.assert_array_equal(last.label, run.sample().label)
    assert (last.attrs["epoch"], last.attrs["step"], last.attrs["previous_epoch"]) == (3, 21, 2)
    history = run.history("projection")
    assert list(history.epoch.values) == [0, 2, 3]
    main(["verify", "--run-dir", str(run.path)])


def test_a_diagnostic_that_fails_is_recorded_and_training_goes_on(fit, monkeypatch, capsys):
    def fail(self, snapshot, earlier):
        raise MemoryError("too many points")

    unseen = fit("--trainer.max_epochs", "2")
    monkeypatch.setattr(Projection, "compute", fail)
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *LOOK))
    assert run.info()["state"] == "finished"
    assert {e: error["error"] for e, error in run.errors("projection").items()} == dict.fromkeys(
        range(3), "MemoryError"
    )
    assert same_weights(weights(run.path), weights(unseen))
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--run-dir", str(run.path)])
    assert ended.value.code == 1
    assert "projection failed at epoch 1: MemoryError: too many points" in capsys.readouterr().err


def test_a_snapshot_that_fails_is_recorded_and_training_goes_on(fit, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("repviz.callbacks.subject.capture", fail)
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *LOOK))
    assert run.info()["state"] == "finished"
    assert run.errors("projection")[1]["message"] == "out of memory"


def test_what_has_nothing_to_look_at_is_left_out_with_the_reason(fit):
    alone = ["--data.use_tabular", "false", "--model.fusion", "none", "--projection.enabled", "false"]
    run = repviz.open_run(fit("--trainer.max_epochs", "1", "--fusion.enabled", "true", *alone, *LOOK))
    assert run.kinds() == ["prediction"]
    assert "takes 1" in run.info()["not_applicable"]["fusion"]
    main(["verify", "--run-dir", str(run.path)])
    main(["diagnose", "--run-dir", str(run.path)])
    assert run.kinds() == ["prediction"]


def test_pairs_points_and_units_are_fixed_once_and_kept_with_the_sample(fit):
    looking = ["--landscape.enabled", "true", "--landscape.resolution", "3", "--landscape.n_points", "40"]
    pairs = ["--interpolation.enabled", "true", "--interpolation.pairs", "12", "--projection.enabled", "false"]
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *looking, *pairs, "--response.enabled", "true", *LOOK))
    sample = run.sample()
    units = [str(unit).split(":") for unit in run.read("response", 1)["unit"].values]
    expected = {layer: sample["unit_order"].sel(layer=layer).values.tolist() for layer, _ in units}
    assert [int(number) for _, number in units] == [unit for order in expected.values() for unit in order[:6]]
    for epoch in (0, 1):
        found = run.read("interpolation", epoch)
        np.testing.assert_array_equal(found["pair_index"], sample["pair_index"])
        np.testing.assert_array_equal(found["pair_label"], sample["label"].values[sample["pair_index"].values])
        assert run.read("landscape", epoch)["n_rows"].sum() == sample.sizes["landscape"]


def test_a_video_that_cannot_be_is_said_and_the_run_is_finished(fit, capsys):
    run = repviz.open_run(fit("--trainer.max_epochs", "1", "--video.enabled", "true"))
    assert run.info()["state"] == "finished"
    assert "video: " in capsys.readouterr().err
    assert not (run.path / "exports").exists()


def test_half_precision_weights_are_looked_at_by_every_kind(fit):
    everything = ["--config", str(ROOT / "configs" / "diagnostics" / "all.yaml"), "--projection.methods", "[pca]"]
    run = repviz.open_run(fit("--trainer.max_epochs", "1", "--trainer.precision", "bf16-true", *everything, *LOOK))
    assert [run.errors(kind) for kind in all_classes()] == [{}] * len(all_classes())
    assert {*run.kinds(), "activations"} == set(all_classes())  # those are kept where it is asked for alone


def test_an_epoch_that_was_not_looked_at_is_when_the_run_goes_on(fit):
    whole = repviz.open_run(fit("--trainer.max_epochs", "2", *LOOK))
    killed = repviz.open_run(fit("--trainer.max_epochs", "2", *LOOK))
    (killed.path / "artifacts" / "projection" / "epoch_000002.h5").unlink()
    last = str(killed.path / "checkpoints" / "last.ckpt")
    main(["fit", "--config", str(killed.path / "config.yaml"), "--ckpt-path", last, "--trainer.max_epochs", "3"])
    assert killed.epochs("projection") == [0, 1, 2, 3]
    assert killed.read("projection", 2).attrs["previous_epoch"] == 1
    np.testing.assert_array_equal(killed.read("projection", 2).coordinates, whole.read("projection", 2).coordinates)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_shipped_config_runs(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "packages_small.npz", tmp_path / "data")
    shutil.copytree(ROOT / "data" / "pickles", tmp_path / "data" / "pickles")
    mode = INLINE if config in ("embeddings.yaml", "film.yaml", "pickles.yaml") else []
    main(
        [
            *("fit", "--config", str(ROOT / "configs" / config), "--trainer.max_epochs", "1"),
            *("--trainer.accelerator", "cpu", "--sample.size", "100", "--sample.excluded", "10", *mode),
        ]
    )
    (run_dir,) = (tmp_path / "runs").iterdir()
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert len(read_metrics(run_dir)) == 2
    assert set(run.kinds()) == {*run.info()["kinds"], *(["activations"] if config == "offline.yaml" else [])}
    assert (run_dir / "exports" / "curves.mp4").exists() == (config == "concat.yaml")
    assert set(run.info()["results"]) == {"model_best", "logistic_regression"}
    main(["verify", "--run-dir", str(run_dir)])


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_of_diagnostics_goes_on_top(layer, fit):
    layers = ["--config", str(ROOT / "configs" / "diagnostics" / layer), "--sample.size", "100"]
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *layers, *(INLINE if layer == "cheap.yaml" else [])))
    if layer == "all.yaml":
        assert set(run.kinds()) == set(all_classes()) - {"activations"}
        assert not any(run.errors(kind) for kind in run.kinds())
    elif layer == "cheap.yaml":
        assert set(run.kinds()) == {"projection", "prediction", "similarity", "interpolation", "response"}
    else:
        assert run.kinds() == (["activations"] if layer == "offline.yaml" else [])
    main(["verify", "--run-dir", str(run.path)])
