"""Figures in loggers: those of the artifacts, at their steps, drawn beside training; whoever fails harms nobody."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from repviz.callbacks import PredictionCallback
from repviz.callbacks.figure_takers import taker_of
from repviz.callbacks.logged_figures import LoggedFiguresCallback
from repviz.callbacks.recorder import RunRecorder
from repviz.exports import drawing_program
from repviz.exports.drawing import Drawing
from repviz.run import open_run
from tests.callbacks.test_own_module import POINTS, only_run, train
from tests.training.conftest import _one_thread, fit, same_weights, weights  # noqa: F401

SMALL = [
    *("--sample.size", "150", "--sample.excluded", "20", "--trainer.max_epochs", "3", "--diagnostics", "inline"),
    *("--projection.enabled", "false", "--similarity.enabled", "true", "--similarity.every_n_epochs", "1"),
    *("--logged_figures.every_n_epochs", "2"),
]
STEPS = {0: 0, 1: 7, 2: 14, 3: 21}


class Album(Logger):
    """A logger that keeps pictures, as Lightning's convention has it."""

    def __init__(self, folder: str):
        super().__init__()
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    name = version = "album"

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass

    def log_image(self, key, images, step):
        for image in images:
            image.save(self.folder / f"{key.replace('/', '.')}@{step}.png")


class Torn(Album):
    def log_image(self, key, images, step):
        raise OSError("no space left")


def logger(cls: type, folder: Path) -> str:
    return repr({"class_path": f"{__name__}.{cls.__name__}", "init_args": {"folder": str(folder)}})


def test_pictures_come_at_their_steps_and_the_last_epoch_is_among_them(fit, tmp_path, chromium, monkeypatch):  # noqa: F811
    from PIL import Image

    monkeypatch.setenv("BROWSER_PATH", chromium)
    run = open_run(fit(*SMALL, "--trainer.logger", logger(Album, tmp_path / "album")))
    steps = dict(zip(run.metrics()["epoch"], run.metrics()["step"], strict=True))
    assert steps == STEPS
    names = {path.stem for path in (tmp_path / "album").iterdir()}
    of_epochs = {f"figures.{kind}@{STEPS[epoch]}" for kind in ("similarity", "prediction") for epoch in (0, 2, 3)}
    assert {name for name in names if "over_epochs" not in name} == of_epochs
    of_the_run = {f"figures.{kind}_over_epochs@{STEPS[3]}" for kind in ("similarity", "prediction")}
    assert {name for name in names if "over_epochs" in name} == of_the_run
    first, last = (np.asarray(Image.open(tmp_path / "album" / f"figures.similarity@{step}.png")) for step in (0, 21))
    assert first.shape == last.shape
    assert len(np.unique(last.reshape(-1, 3), axis=0)) > 50
    assert (first != last).any()


def test_a_logger_that_fails_is_said_once_and_nothing_else_changes(fit, tmp_path, chromium, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("BROWSER_PATH", chromium)
    seen = open_run(fit(*SMALL, "--trainer.logger", logger(Torn, tmp_path / "torn")))
    unseen = fit(*SMALL)
    assert capsys.readouterr().err.count("Torn gets no more figures: OSError: no space left") == 1
    assert seen.info()["state"] == "finished"
    assert same_weights(weights(seen.path), weights(unseen))
    assert (seen.path / "metrics.csv").read_text() == (unseen / "metrics.csv").read_text()


def test_without_a_browser_that_is_said_once_and_no_more_is_drawn(fit, tmp_path, monkeypatch, capsys):  # noqa: F811
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))
    begun = []
    monkeypatch.setattr(Drawing, "_start", lambda self, start=Drawing._start: begun.append(1) or start(self))
    run = open_run(fit(*SMALL, "--trainer.logger", logger(Album, tmp_path / "album")))
    assert capsys.readouterr().err.count("no pictures for loggers: PNG and SVG are drawn by Chrome or Chromium") == 1
    assert not any((tmp_path / "album").iterdir())
    assert len(begun) == 1
    assert run.info()["state"] == "finished"


def test_nothing_is_drawn_where_nobody_takes_figures(fit, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("repviz.callbacks.logged_figures.Drawing", None)  # a start would be an error
    csv = repr({"class_path": "CSVLogger", "init_args": {"save_dir": str(tmp_path)}})
    album = logger(Album, tmp_path / "album")
    for options in (["--trainer.logger", csv], ["--trainer.logger", album, "--logged_figures.enabled", "false"]):
        assert open_run(fit(*SMALL, *options)).info()["state"] == "finished"
    assert not any((tmp_path / "album").iterdir())


def drawing(run, wanted, **more) -> Drawing:
    return Drawing(run, wanted, theme="light", **{"figures": True, "images": False} | more)


def test_a_program_that_cannot_draw_says_so_with_its_last_word(tmp_path):
    one = drawing(tmp_path, [("probe", 0)])
    found = one.results(60)
    assert found.drawn == []
    assert re.search(r"exit code 1: .*is not a run", found.ended)
    out = one._out
    one.close()
    assert not out.exists()


def test_one_kind_that_cannot_be_drawn_leaves_the_others(made_run):
    one = drawing(made_run, [("projection", 0), ("projection", 7), ("nothing", None)])
    found = one.results(60)
    assert [(each.kind, each.epoch, each.image) for each in found.drawn] == [("projection", 0, None)]
    assert go.Figure(json.loads(found.drawn[0].figure.read_text())).data
    assert set(found.problems) == {"projection", "nothing"}
    assert found.ended is None
    one.close()


def test_one_picture_that_cannot_be_made_leaves_the_others(made_run, tmp_path, monkeypatch):
    @asynccontextmanager
    async def failing():
        async def render(figure, ending, scale):
            calls.append(ending)
            if len(calls) == 2:
                raise TimeoutError
            return b"picture"

        yield render

    calls = []
    monkeypatch.setattr("repviz.exports.images.browser", failing)
    request = {"run_dir": str(made_run), "out": str(tmp_path), "theme": "light", "figures": True, "images": True}
    asyncio.run(drawing_program._draw(request | {"wanted": [["projection", 0]] * 3}))
    lines = [json.loads(line) for line in (tmp_path / drawing_program.MANIFEST).read_text().splitlines()]
    assert sum("name" in line for line in lines) == 3
    assert [line["problem"] for line in lines if "problem" in line] == ["TimeoutError: "]
    assert calls == ["png"] * 3


def test_at_the_time_limit_what_is_drawn_is_there(made_run):
    one = drawing(made_run, [("projection", 0)] * 2000)
    manifest = one._out / drawing_program.MANIFEST
    assert eventually(lambda: manifest.exists() and "\n" in manifest.read_text())
    found = one.results(0)
    assert 0 < len(found.drawn) < 2000
    assert "drawing 2000 figures took longer than" in found.ended
    one.close()
    assert not one.is_running


def test_an_interrupt_while_the_end_waits_for_figures_leaves_a_finished_run(fit, tmp_path, monkeypatch):  # noqa: F811
    def interrupted(self, seconds):
        raise KeyboardInterrupt

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(Drawing, "results", interrupted)
    only_last = ["--logged_figures.every_n_epochs", "50", "--diagnostics", "inline"]
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit):
            fit(*SMALL, *only_last, "--trainer.max_epochs", "1", "--trainer.logger", logger(Album, tmp_path / "album"))
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning ignores Ctrl-C once it has ended training
    run = only_run(tmp_path / "runs")
    assert run.info()["state"] == "finished"
    assert run.info()["results"]["model_best"]["val_accuracy"] == run.metrics()["val_accuracy"].max()
    assert not list(temporary.glob("repviz-figures-*"))


def test_the_program_ends_with_who_waits_for_it(made_run):
    """Killed with -9, training leaves no program that draws."""
    parent = (
        "import os, sys; from pathlib import Path; from repviz.exports.drawing import Drawing;"
        f"d = Drawing(Path({str(made_run)!r}), [('projection', 0)] * 500, theme='light', figures=True, images=False);"
        "print(d._process.pid, d._out, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid, out = process.stdout.readline().split()
    assert Path(f"/proc/{pid}").exists()
    process.kill()
    process.wait()
    assert eventually(lambda: not Path(f"/proc/{pid}").exists() and not Path(out).exists())


def eventually(holds, seconds: float = 30.0) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


@pytest.fixture
def made_run(tmp_path) -> Path:
    from tests.dashboards.synthetic_run import SyntheticRun

    run = SyntheticRun(tmp_path / "20260202_120000")
    run.write_epoch(0)
    run.say("finished")
    return run.path


def test_a_resume_does_not_log_again_what_was_logged():
    first, second = LoggedFiguresCallback(every_n_epochs=2), LoggedFiguresCallback(every_n_epochs=2)
    first._newest = {"probe": 2}
    second.load_state_dict(first.state_dict())

    class Half:
        def epochs(self, kind):
            return [0, 1, 2, 3, 4, 5]

    assert second._due(Half(), "probe") == [4]
    assert LoggedFiguresCallback(every_n_epochs=2)._due(Half(), "probe") == [0, 2, 4]
    assert LoggedFiguresCallback(every_n_epochs=4)._due(Half(), "probe") == [0, 4]


def test_a_prefix_of_the_logger_is_that_of_its_figures_too(tmp_path):
    from repviz.callbacks.figure_takers import _prefixed

    pytest.importorskip("tensorboard")
    assert _prefixed(TensorBoardLogger(str(tmp_path), prefix="a"), "figures/probe") == "a-figures/probe"
    assert _prefixed(TensorBoardLogger(str(tmp_path)), "figures/probe") == "figures/probe"


def test_who_takes_what(tmp_path):
    takes = {TensorBoardLogger: True, MLFlowLogger: False, WandbLogger: False}
    for cls, as_image in takes.items():
        assert taker_of(cls.__new__(cls)).as_image == as_image
    assert taker_of(Album(str(tmp_path / "album"))).as_image
    assert taker_of(CSVLogger(str(tmp_path))) is None


def test_tensorboards_own_reader_finds_the_pictures(fit, tmp_path, chromium, monkeypatch):  # noqa: F811
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setenv("BROWSER_PATH", chromium)
    board = repr({"class_path": "TensorBoardLogger", "init_args": {"save_dir": str(tmp_path / "board")}})
    fit(*SMALL, "--trainer.logger", board)
    (path,) = (tmp_path / "board").glob("**/events.*")
    events = accumulator.EventAccumulator(str(path), size_guidance={"images": 0}).Reload()
    names = ("prediction", "prediction_over_epochs", "similarity", "similarity_over_epochs")
    assert set(events.Tags()["images"]) == {f"figures/{name}" for name in names}
    pictures = events.Images("figures/similarity")
    assert [picture.step for picture in pictures] == [0, 14, 21]
    assert all(picture.encoded_image_string.startswith(b"\x89PNG") for picture in pictures)


def test_wandb_gets_figures_that_can_be_zoomed(fit, tmp_path, monkeypatch):  # noqa: F811
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    board = repr({"class_path": "WandbLogger", "init_args": {"save_dir": str(tmp_path), "offline": True}})
    fit(*SMALL, "--trainer.logger", board)
    files = sorted(tmp_path.glob("wandb/offline-run-*/files/media/plotly/figures/similarity_*.plotly.json"))
    assert len(files) == 4  # epochs 0, 2 and 3, and over all epochs
    figure = json.loads(files[0].read_text())
    assert go.Figure(figure).data[0].type == "heatmap"
    assert "bdata" not in files[0].read_text()


def test_mlflow_gets_figures_that_can_be_zoomed(fit, tmp_path):  # noqa: F811
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    settings = {"tracking_uri": uri, "artifact_location": (tmp_path / "artifacts").as_uri()}
    fit(*SMALL, "--trainer.logger", repr({"class_path": "MLFlowLogger", "init_args": settings}))
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("lightning_logs").experiment_id])
    found = [each.path for each in client.list_artifacts(run.info.run_id, "figures/similarity")]
    assert found == [f"figures/similarity/step_{step:08d}.html" for step in (0, 14, 21)]
    assert run.data.metrics["similarity/penultimate/cka_first"] <= 1 + 1e-6


def test_a_plain_script_gets_them_too(tmp_path, chromium, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", chromium)
    album = Album(str(tmp_path / "album"))
    looking = PredictionCallback(mode="inline")
    train([RunRecorder(tmp_path / "runs", POINTS), looking, LoggedFiguresCallback()], tmp_path, logger=album)
    steps = only_run(tmp_path / "runs").metrics()["step"].tolist()
    names = {"prediction@0", f"prediction@{steps[2]}", f"prediction_over_epochs@{steps[2]}"}
    assert {path.stem for path in album.folder.iterdir()} == {f"figures.{name}" for name in names}
