"""Nothing is profiled unless somebody asks for it, whatever the command."""

import pytest
from lightning.pytorch.profilers import SimpleProfiler

from repviz.cli import main
from repviz.training.no_profiler import NoProfiler
from repviz.training.runtime import Runtime
from tests.training.conftest import SMALL


@pytest.fixture
def profilers(monkeypatch):
    """Profilers of the trainers that were started."""
    found = []
    whole = Runtime.setup

    def setup(self, trainer, *more, **named):
        found.append(trainer.profiler)
        whole(self, trainer, *more, **named)

    monkeypatch.setattr(Runtime, "setup", setup)
    return found


def test_no_command_profiles_of_its_own_accord(fit, packages, profilers, tmp_path):
    run_dir = fit("--trainer.max_epochs", "1")
    trained = ["--data.path", str(packages), "--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt"), *SMALL[:6]]
    main(["validate", *trained])
    main(["predict", *trained, "--out", str(tmp_path / "predictions.csv")])
    assert [type(profiler) for profiler in profilers] == [NoProfiler] * 3
    with profilers[0].profile("a"), profilers[0].profile("b"):  # one context, entered twice at a time
        assert profilers[0].profile("a") is profilers[0].profile("b")


def test_a_profiler_that_is_asked_for_measures(fit, profilers):
    fit("--trainer.max_epochs", "1", "--trainer.profiler", "simple")
    (profiler,) = profilers
    assert type(profiler) is SimpleProfiler
    assert len(profiler.recorded_durations["run_training_batch"]) == 7
