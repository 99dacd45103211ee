"""Whatever any diagnostic does, the weights are those of a training that nobody looks at, and the run says why."""

import pytest
import torch

import repviz
from repviz.callbacks import recorder
from repviz.cli import main
from repviz.diagnostics.diagnostic import RunDiagnostic
from repviz.diagnostics.registry import all_classes
from repviz.figures import registry
from repviz.figures.view import View
from tests.conftest import ROOT
from tests.reliability.failing import ANYWHERE, BESIDE, Failing, FailingOfRun
from tests.training.conftest import SMALL, _one_thread, fit, same_weights, weights  # noqa: F401

EPOCHS = ["--trainer.max_epochs", "2"]
EVERYONE = [
    *("--config", str(ROOT / "configs" / "diagnostics" / "all.yaml"), "--sample.size", "80", "--sample.excluded", "8"),
    *("--landscape.every_n_epochs", "1", "--landscape.resolution", "3", "--landscape.n_points", "40"),
    *("--surface.resolution", "5", "--trajectory.resolution", "3", "--interpolation.pairs", "6"),
]
KINDS = sorted(set(all_classes()) - {"activations"})
SAID = {"raises": "RuntimeError", "runs out of memory": "MemoryError", "exits": "SystemExit"} | dict.fromkeys(
    BESIDE, "WorkerEndedError"
)


@pytest.fixture
def failing(monkeypatch):
    """Puts failing diagnostics in the place of all that would look: ``how(number of the kind)`` at epoch 1."""
    real = recorder.applicable

    def put(how, elsewhere="raises"):
        def replaced(callbacks, sample):
            callbacks, reasons = real(callbacks, sample)
            for callback in [callback for callback in callbacks if callback.kind in KINDS]:
                way = how(KINDS.index(callback.kind))
                if isinstance(callback.diagnostic, RunDiagnostic):  # looks in training's process, whatever its mode
                    callback.diagnostic = FailingOfRun(callback.diagnostic, "raises" if way in BESIDE else way)
                else:
                    callback.diagnostic = Failing(callback.diagnostic, way, elsewhere)
            return callbacks, reasons

        monkeypatch.setattr(recorder, "applicable", replaced)

    return put


@pytest.fixture(scope="module")
def undisturbed(packages, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("undisturbed")
    threads = torch.get_num_threads()
    main(["fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, *EPOCHS])
    torch.set_num_threads(threads)
    (run_dir,) = runs_dir.iterdir()
    return weights(run_dir)


def reasons(run, kind: str) -> dict[int | None, str]:
    """What the run says went wrong, by epoch; None = with the whole run."""
    found = {epoch: error["error"] for epoch, error in run.errors(kind).items()}
    return found | ({None: run.run_error(kind)["error"]} if run.run_error(kind) else {})


@pytest.mark.parametrize("how", [way for way in ANYWHERE if way != "gives NaN"])
def test_all_fail_in_training_s_own_process(how, fit, failing, undisturbed):  # noqa: F811
    failing(lambda number: how, elsewhere=how)
    run = repviz.open_run(fit(*EPOCHS, *EVERYONE, "--diagnostics", "inline"))
    assert run.info()["state"] == "finished"
    assert same_weights(weights(run.path), undisturbed)
    for kind in KINDS:
        epochs = [None] if kind == "trajectory" else [0, 1, 2]
        assert reasons(run, kind) == dict.fromkeys(epochs, SAID[how]), kind


def test_what_is_all_nan_disturbs_neither_training_nor_any_picture(fit, failing, undisturbed):  # noqa: F811
    failing(lambda number: "gives NaN")
    run = repviz.open_run(fit(*EPOCHS, *EVERYONE, "--diagnostics", "inline"))
    assert same_weights(weights(run.path), undisturbed)
    for kind in KINDS:
        dataset = run.read(kind, None if kind == "trajectory" else 1)
        assert all(values.isnull().all() for values in dataset.data_vars.values() if values.dtype.kind == "f")
    drawn = 0
    for name in registry.figure_kinds():
        picture = registry.picture_of(name)
        if picture.kind not in KINDS:
            continue
        dataset = run.read(picture.kind, None if picture.kind == "trajectory" else 1)
        layers = [None, *(dataset["layer"].values if picture.one_layer and "layer" in dataset.coords else [])]
        for layer in layers:
            view = View(layer=layer)
            for options in (picture.options or {"": [""]}).items():
                for choice in options[1]:
                    one = View(layer=layer, options={options[0]: choice} if choice else {})
                    assert picture.figure(dataset, one).to_json(), (name, layer, options[0], choice)
                    drawn += 1
            if picture.over_epochs is not None:
                assert picture.over_epochs(run.history(picture.kind), view).to_json()
    assert drawn > len(KINDS)


def test_all_fail_in_the_background(fit, failing, undisturbed, times):  # noqa: F811
    """Kinds take turns at the ways to fail; with ``make soak`` each kind fails in each of them."""
    ways = (*BESIDE, *ANYWHERE)
    common = tuple(way for way in ANYWHERE if way != "gives NaN")
    beside = ["--diagnostics", "background", "--background.time_limit", str(times(3.0, 6.0))]
    for turn in range(times(1, len(ways))):

        def way(number, turn=turn):
            if times(False, True):
                return ways[(number + turn) % len(ways)]
            return BESIDE[number] if number < len(BESIDE) else common[number % len(common)]

        failing(way)
        run = repviz.open_run(fit(*EPOCHS, *EVERYONE, *beside))
        assert run.info()["state"] == "finished"
        assert same_weights(weights(run.path), undisturbed), turn
        for number, kind in enumerate(KINDS):
            found = reasons(run, kind)
            if kind == "trajectory":
                continue
            assert found.get(1) == SAID.get(way(number)), (turn, kind, found)
            assert (found[0], found[2]) == ("RuntimeError", "RuntimeError"), (turn, kind, found)
