"""The diagnostics from checkpoints: the same numbers as while training, and only what is missing."""

import numpy as np
import pytest
import xarray as xr

import repviz
from repviz.callbacks import callback_classes
from repviz.cli import main
from repviz.diagnostics.similarity import Similarity
from repviz.model.mlp import MLP
from repviz.offline import diagnosing
from repviz.recorded import RecordedRun
from repviz.store import artifacts
from repviz.store.config_file import read_config
from repviz.weights import weights_path
from tests.training.conftest import SMALL, fit  # noqa: F401

POINTS = ["--sample.size", "150", "--sample.excluded", "20", "--diagnostics", "inline"]


def test_offline_gives_the_numbers_of_inline_and_does_only_what_is_missing(fit, capsys):  # noqa: F811
    inline = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS))
    offline = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS, "--diagnostics", "offline"))
    assert offline.kinds() == ["activations"]
    assert offline.epochs("activations") == [0, 1, 2]
    main(["diagnose", "--run-dir", str(offline.path)])
    assert set(offline.kinds()) == {*inline.kinds(), "activations"}
    assert len(inline.kinds()) > 1
    for kind in inline.kinds():
        assert offline.epochs(kind) == inline.epochs(kind)
        for epoch in inline.epochs(kind):
            one, other = inline.read(kind, epoch), offline.read(kind, epoch)
            xr.testing.assert_equal(one, other)
            assert one.attrs.get("previous_epoch") == other.attrs.get("previous_epoch")
    before = {path: path.stat().st_mtime_ns for path in offline.path.rglob("*.h5")}
    artifacts.artifact_path(offline.path, "projection", 1).unlink()
    main(["diagnose", "--run-dir", str(offline.path)])
    after = {path: path.stat().st_mtime_ns for path in offline.path.rglob("*.h5")}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed == {"epoch_000001.h5"}
    assert capsys.readouterr().out.splitlines()[-1] == "1 computed"


def test_kept_activations_spare_the_forward_pass_where_they_suffice(fit, monkeypatch):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline"))
    forward, passes = MLP.forward, []

    def counted(self, *inputs):
        passes.append(len(inputs[0]))
        return forward(self, *inputs)

    monkeypatch.setattr(MLP, "forward", counted)
    main(["diagnose", "--run-dir", str(run.path), "--only", "projection,similarity,probe,response"])
    assert passes == []
    assert set(run.kinds()) == {"activations", "projection", "similarity", "probe", "response"}
    main(["diagnose", "--run-dir", str(run.path), "--only", "geometry"])
    assert passes == [170, 170]
    artifacts.artifact_path(run.path, "activations", 1).write_bytes(b"damaged")
    kept = run.read("response", 1)
    main(["diagnose", "--run-dir", str(run.path), "--only", "response", "--epochs", "1", "--overwrite"])
    assert passes == [170, 170, 170]
    xr.testing.assert_equal(run.read("response", 1), kept)


def test_a_later_epoch_that_is_looked_at_first_has_the_same_units(fit):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "off"))
    for epoch in ("1", "0"):
        main(["diagnose", "--run-dir", str(run.path), "--only", "response", "--epochs", epoch])
    start, order = run.read("response", 0), run.sample()["unit_order"]
    assert list(start["unit"].values) == list(run.read("response", 1)["unit"].values)
    layer, _, number = str(start["unit"].values[0]).partition(":")
    assert int(number) == order.sel(layer=layer).values[0]


def test_epochs_kinds_and_settings_can_be_named(fit):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "2", *POINTS, "--diagnostics", "off"))
    options = ["--only", "projection", "--epochs", "0:2:2", "--set", "projection.n-neighbors=7"]
    main(["diagnose", "--run-dir", str(run.path), *options])
    assert run.kinds() == ["projection"]
    assert run.epochs("projection") == [0, 2]
    assert run.read("projection", 2).sizes["k"] == 7
    main(["diagnose", "--run-dir", str(run.path), "--only", "projection", "--epochs", "2", "--overwrite"])
    assert run.read("projection", 2).sizes["k"] == 15


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--only", "prob"], "there is no diagnostic prob"),
        (["--epochs", "x"], "'x' is neither an epoch nor FIRST:LAST:STEP"),
        (["--epochs", "0:5:0"], "'0:5:0' is neither"),
        (["--set", "foo"], "'foo' is not KIND.NAME=VALUE"),
        (["--jobs", "0"], "'0' is not a number from 1 on"),
        (["--jobs", "2", "--scheduler", "tcp://host:1"], "not allowed with"),
        (["--epochs", "7"], "no checkpoint of epoch 7"),
        (["--set", "projection.n_neighbours=3"], "n_neighbours"),
        (["--set", "projection.n_neighbors=many"], "n_neighbors"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_mistakes_are_one_reason(fit, options, expected, capsys):  # noqa: F811
    run_dir = fit("--trainer.max_epochs", "1", "--diagnostics", "off")
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", "--run-dir", str(run_dir), *options])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "Traceback" not in error
    assert "usage" not in error


def test_other_data_is_refused_unless_forced(fit, packages, tmp_path, capsys):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline"))
    data = dict(np.load(packages))
    data["X_train_embed"] = data["X_train_embed"][::-1]
    np.savez(tmp_path / "other.npz", **data)
    arguments = ["diagnose", "--run-dir", str(run.path), "--data", str(tmp_path / "other.npz")]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "fingerprint" in capsys.readouterr().err
    assert run.kinds() == ["activations"]
    main([*arguments, "--force", "--only", "projection"])
    assert run.kinds() == ["activations", "projection"]


def test_a_failure_is_recorded_said_and_the_rest_is_done(fit, monkeypatch, capsys):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline"))
    broken = callback_classes()["projection"].diagnostic_class
    compute = broken.compute

    def fail_once(self, snapshot, earlier):
        if snapshot.epoch == 0:
            raise ValueError("not today")
        return compute(self, snapshot, earlier)

    monkeypatch.setattr(broken, "compute", fail_once)
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", "--run-dir", str(run.path), "--only", "projection"])
    assert ended.value.code == 2
    assert "1 of 2 failed" in capsys.readouterr().err
    assert run.errors("projection")[0]["message"] == "not today"
    assert run.epochs("projection") == [1]


def test_where_no_bar_is_drawn_it_says_now_and_then_how_far_it_is(fit, monkeypatch, capsys):  # noqa: F811
    run_dir = fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline")
    command = ["diagnose", "--run-dir", str(run_dir), "--only", "prediction", "--overwrite"]
    for seconds, said in (
        (0.0, [f"{n} of 2 are dealt with, the last of them prediction of epoch {n - 1}" for n in (1, 2)]),
        (60.0, []),
    ):
        monkeypatch.setattr(diagnosing, "_SAY_AGAIN", seconds)
        main(command)
        assert [line for line in capsys.readouterr().err.splitlines() if "dealt with" in line] == said


def test_the_whole_run_is_looked_at_anew_when_it_has_more_epochs(fit):  # noqa: F811
    run = repviz.open_run(fit("--trainer.max_epochs", "2", "--sample.size", "100", "--diagnostics", "off"))
    later = run.path / "checkpoints" / "epoch_000002.ckpt"
    kept = later.rename(run.path / "kept.ckpt")
    (run.path / "checkpoints" / "last.ckpt").unlink()
    command = ["diagnose", "--run-dir", str(run.path), "--only", "trajectory", "--set", "trajectory.resolution=3"]
    main(command)
    assert list(run.read("trajectory")["epoch"].values) == [0, 1]
    kept.rename(later)
    main(command)
    found = run.read("trajectory")
    assert list(found["epoch"].values) == [0, 1, 2]
    assert found.attrs["step"] == run.metrics()["step"].iloc[-1]
    main(command)
    assert run.read("trajectory").attrs == found.attrs


def test_a_device_that_is_not_there_is_refused_before_anything_is_computed(fit, capsys):  # noqa: F811
    run_dir = fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline")
    mistakes = {
        "cuda:7": "--device: this machine has no cuda:7, only cpu",
        "gpu": "--device: 'gpu' is not a device to look on; cpu, cuda and cuda:1 are",
        "meta": "--device: 'meta' is not a device to look on",
    }
    for name, said in mistakes.items():
        with pytest.raises(SystemExit) as ended:
            main(["diagnose", "--run-dir", str(run_dir), "--only", "probe", "--device", name])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    assert repviz.open_run(run_dir).kinds() == ["activations"]
    main(["diagnose", "--run-dir", str(run_dir), "--only", "prediction"])
    with pytest.raises(SystemExit):  # also where nothing is missing
        main(["diagnose", "--run-dir", str(run_dir), "--only", "prediction", "--device", "cuda:7"])


def test_network_and_kept_activations_are_looked_at_on_the_device(fit):  # noqa: F811
    run_dir = fit("--trainer.max_epochs", "1", *POINTS, "--diagnostics", "offline")
    recorded = RecordedRun(
        run_dir, read_config(run_dir / "config.yaml"), scaled_by=weights_path(run_dir, 1), device="meta"
    )
    subject, _ = recorded.subject(1)
    assert {parameter.device.type for parameter in subject.module.parameters()} == {"meta"}
    seen = []

    class Seen(Similarity):
        def compute(self, snapshot, earlier):
            seen.append(snapshot)
            raise NotImplementedError

    assert recorded.look(1, [Seen()]) == 0
    (snapshot,) = seen
    assert {points.device.type for points in (*snapshot.activations.values(), snapshot.logits)} == {"meta"}
