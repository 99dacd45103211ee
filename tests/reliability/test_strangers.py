"""Checkpoints, configurations and runs from strangers are data: nothing in them runs, and what is wrong is one line."""

import ast
import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from repviz.cli import main
from repviz.dashboards.app import create_app
from repviz.errors import UserError
from repviz.run import open_run
from tests.conftest import ROOT
from tests.reliability.hostile_runs import EPOCH, Reduced, spoilers
from tests.training.conftest import SMALL

CASES = tuple(spoilers(Path(), "none"))
NOT_USED = ("a maker by name", "a class by name")
"""Settings in a checkpoint that nobody asks for: training goes on from it as if they were not there."""
PACKAGE = "somebody_elses_module"
PAGES = (
    *("manifest", "metrics", "log", "sample", "sample/0", "columns", "search?text=a", f"frames/pca/{EPOCH}"),
    *(f"figures/projection/{EPOCH}", f"numbers/projection/{EPOCH}", f"values/projection/{EPOCH}"),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, packages) -> Path:
    runs = tmp_path_factory.mktemp("recorded")
    options = ["--trainer.max_epochs", str(EPOCH), "--sample.size", "60", "--sample.excluded", "0"]
    options += ["--runs-dir", str(runs), "--data.path", str(packages), "--projection.methods", "[pca]"]
    main(["fit", *SMALL, *options, "--diagnostics", "inline", "--probe.enabled", "false", "--video.enabled", "false"])
    (run,) = runs.iterdir()
    return run


@pytest.fixture
def canary(tmp_path, monkeypatch) -> Path:
    """What exists if anything was run; importing ``PACKAGE`` does it."""
    path = tmp_path / "canary"
    (tmp_path / f"{PACKAGE}.py").write_text(f"open({str(path)!r}, 'w')\nmake = Make = dict\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return path


def refused(arguments: list[str], capsys, most_lines: int = 1) -> str:
    """What a command says that may refuse; nothing else than an end in good order is let through."""
    status = 0
    try:
        main(arguments)
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr().err
    assert status in (0, 2), said
    assert "Traceback" not in said
    message = said[said.index("error: ") :] if status else ""
    assert len(message.splitlines()) <= most_lines, message
    assert len(message) < 1_000, message
    return message


def test_the_canary_sings_where_nobody_is_careful(canary):
    import pickle

    pickle.loads(pickle.dumps(Reduced(canary)))
    assert canary.exists()


@pytest.mark.parametrize("command", ["validate", "predict"])
def test_every_reading_of_a_checkpoint_says_how(command, recorded, tmp_path, monkeypatch):
    """Also Lightning's own, of a checkpoint that nothing is wrong with, where torch is asked to trust it."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    asked, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **how: asked.append(how.get("weights_only")) or load(*args, **how))
    out = ["--out", str(tmp_path / "p.csv")] if command == "predict" else []
    main([command, "--ckpt-path", str(recorded / "checkpoints" / "last.ckpt"), *out])
    assert len(asked) >= 2
    assert set(asked) == {True}


@pytest.mark.filterwarnings("error:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")  # it was heard
@pytest.mark.parametrize("name", CASES)
def test_nothing_runs_and_what_is_wrong_is_said(name, recorded, canary, tmp_path, monkeypatch, capsys, times):
    if CASES.index(name) % 6 and times(1, 0):
        pytest.skip("every sixth one is tried; all with make soak")
    if name.startswith("checkpoint"):  # torch would then read as if nobody had said how
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    run = tmp_path / "runs" / "20260101_000000"
    shutil.copytree(recorded, run)
    spoilers(canary, PACKAGE)[name](run)
    lines = 3 if name.endswith("to be trusted") else 1  # data are refused with what was expected
    said = refused(["diagnose", "--run-dir", str(run), "--only", "probe", "--epochs", str(EPOCH)], capsys, lines)
    if name.startswith(("checkpoint", "yaml")):
        assert said
    for arguments in (["parquet", "--out", str(tmp_path / "p.parquet")], ["npz", "--out", str(tmp_path / "npz")]):
        refused(["export", arguments[0], "--run-dir", str(run), *arguments[1:]], capsys)
    if name.startswith(("hdf5", "json")):
        refused(["export", "report", "--run-dir", str(run), "--out", str(tmp_path / "report.html")], capsys)
    if name.startswith("checkpoint"):
        checkpoint = ["--ckpt-path", str(run / "checkpoints" / "last.ckpt")]
        refused(["validate", "--config", str(recorded / "config.yaml"), *checkpoint], capsys)
        here = ["--config", str(recorded / "config.yaml"), "--runs-dir", str(tmp_path / "new")]
        said = refused(["fit", *here, *checkpoint, "--trainer.max_epochs", str(EPOCH)], capsys)
        assert said or name.partition(", ")[2] in NOT_USED
        assert not canary.exists()
    if name.startswith(("checkpoint", "yaml")):  # with the settings that lie beside the checkpoint
        for command in ("validate", "predict"):
            out = ["--out", str(tmp_path / "p.csv")] if command == "predict" else []
            refused([command, "--ckpt-path", str(run / "checkpoints" / "last.ckpt"), *out], capsys, lines)
    opened = open_run(run)
    for read in (opened.info, opened.metrics, opened.sample, opened.points, opened._repr_html_, opened.kinds):
        assert one_line(read)
    assert one_line(lambda: opened.read("projection", EPOCH))
    client = create_app(run.parent).server.test_client()
    answers = [client.get(f"/data/runs/{run.name}/{page}") for page in PAGES]
    answers += [client.get("/data/runs"), client.get("/data/table"), client.get(f"/data/compare?runs={run.name}")]
    for answer in answers:
        assert answer.status_code < 500, (answer.request.path, answer.get_data()[:500])
    assert not canary.exists()
    assert PACKAGE not in sys.modules


def test_that_a_pickle_is_to_be_trusted_is_for_the_user_to_say(recorded, canary, tmp_path, capsys):
    run = tmp_path / "runs" / "20260101_000000"
    shutil.copytree(recorded, run)
    spoilers(canary, PACKAGE)["yaml, a pickle to be trusted"](run)
    diagnose = ["diagnose", "--run-dir", str(run), "--only", "probe", "--epochs", str(EPOCH)]
    evaluate = ["validate", "--ckpt-path", str(run / "checkpoints" / "last.ckpt")]
    for command in (diagnose, evaluate):
        assert "df_train.pkl" in refused(command, capsys, 3)
    assert not canary.exists()
    refused([*diagnose, "--trust-pickle"], capsys, 3)
    assert canary.exists()


def test_no_class_that_settings_beside_a_checkpoint_name_is_made(recorded, canary, tmp_path):
    run = tmp_path / "runs" / "20260101_000000"
    shutil.copytree(recorded, run)
    made, path = {"class_path": f"{PACKAGE}.Make", "init_args": {}}, run / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    asked = {"callbacks": [made], "logger": made, "profiler": f"{PACKAGE}.Make", "plugins": [made]}
    validate = ["validate", "--ckpt-path", str(run / "checkpoints" / "last.ckpt")]
    for name, value in asked.items():
        path.write_text(yaml.safe_dump(settings | {"trainer": settings["trainer"] | {name: value}}))
        main(validate)
        assert PACKAGE not in sys.modules
    assert not canary.exists()
    with pytest.raises(SystemExit):  # given by its user, a configuration is a program
        main([*validate, "--config", str(path)])
    assert canary.exists()


def test_a_checkpoint_without_settings_beside_it_says_how_to_give_them(recorded, tmp_path, capsys):
    run = tmp_path / "runs" / "20260101_000000"
    shutil.copytree(recorded, run)
    (run / "config.yaml").unlink()
    said = refused(["validate", "--ckpt-path", str(run / "checkpoints" / "last.ckpt")], capsys)
    assert said == f"error: {run} has no config.yaml: name the settings with --config\n"


def one_line(read: Callable[[], object]) -> bool:
    """Whether it gives an answer, or an error for the user that is one line."""
    with contextlib.suppress(UserError):
        read()
        return True
    with pytest.raises(UserError) as caught:
        read()
    return len(str(caught.value).splitlines()) == 1


def test_every_checkpoint_is_read_as_weights_only_and_it_is_said():
    """An environment variable can flip the default. What a process hands its own child privately is the exception."""
    found = {}
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "dashboards").rglob("*.py"), *(ROOT / "scenes").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.endswith(("torch.load", ".load_from_checkpoint", ".load_checkpoint")):
                said = {word.arg: ast.unparse(word.value) for word in node.keywords}
                found[f"{path.relative_to(ROOT)}:{node.lineno}"] = said.get("weights_only")
    assert len(found) >= 4
    exceptions = [place for place, said in found.items() if said != "True"]
    assert [place.partition(":")[0] for place in exceptions] == ["src/repviz/background/handover.py"]
