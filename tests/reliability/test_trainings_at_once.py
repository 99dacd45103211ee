"""Whole trainings that begin in the same moment, in one folder of runs: each is as if it had been alone."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import xarray as xr

import repviz
from repviz.atomic import TEMPORARY_SUFFIX
from repviz.background.pending import pending_epochs
from repviz.store.config_file import read_config
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import end
from tests.reliability.test_at_once import start
from tests.reliability.test_signals import LOOKING, SMALL
from tests.training.conftest import _one_thread, fit, same_weights, weights  # noqa: F401

KINDS = ("geometry", "prediction", "similarity")
MODES = ("background", "inline", "inline")
OPTIONS = [*LOOKING, "--similarity.mode", "background"]
TOGETHER = """
    import json, os, sys, traceback
    import repviz.training.cli
    from repviz.cli import main
    pids = []
    for argv in json.loads(sys.argv[1]):
        pids.append(os.fork())  # what takes long to load is loaded: they begin in the same moment
        if not pids[-1]:
            sys.stdout = sys.stderr
            try:
                main(argv)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
    print(json.dumps(pids), flush=True)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]))
    """


@contextmanager
def training_together(
    packages: Path, runs_dir: Path, seeds: Iterable[int], epochs: int
) -> Iterator[tuple[subprocess.Popen, dict[int, int]]]:
    """The parent of processes that have begun to train, and which they are, by seed; all end well."""
    commands = {}
    for number, seed in enumerate(seeds):
        options = ["--data.path", str(packages), "--runs-dir", str(runs_dir), "--seed_everything", str(seed)]
        options += [*SMALL, *OPTIONS, "--trainer.max_epochs", str(epochs), "--diagnostics", MODES[number % len(MODES)]]
        commands[seed] = ["fit", *options]
    parent, pids = start(TOGETHER, json.dumps([*commands.values()]), OMP_NUM_THREADS="1"), []
    try:
        pids = json.loads(parent.stdout.readline())
        yield parent, dict(zip(commands, pids, strict=True))
        codes, _ = parent.communicate(timeout=900)
        assert json.loads(codes) == [0] * len(pids)
    finally:
        if parent.poll() is None:
            end(pids)
        parent.kill()
        parent.communicate()


def folders_of(pids: dict[int, int], runs_dir: Path) -> dict[int, Path]:
    """Folders by seed: that of a process is the one that says so."""
    by_pid = {repviz.open_run(folder).info()["pid"]: folder for folder in runs_dir.iterdir()}
    return {seed: by_pid[pid] for seed, pid in pids.items()}


def check_whole(run_dir: Path, seed: int, epochs: int) -> None:
    """The run is finished and whole, and its own."""
    run = repviz.open_run(run_dir)
    assert run.info()["state"] == "finished"
    assert read_config(run_dir / "config.yaml")["seed_everything"] == seed
    assert [row["epoch"] for row in read_metrics(run_dir)] == list(range(epochs + 1))
    assert set(run.kinds()) == set(KINDS)
    for kind in KINDS:
        assert not run.errors(kind)
        assert run.epochs(kind) == list(range(epochs + 1))
        for epoch in run.epochs(kind):
            run.read(kind, epoch)
    assert pending_epochs(run_dir) == []
    assert not list(run_dir.rglob(f"*{TEMPORARY_SUFFIX}"))


def check_equal(run_dir: Path, alone: Path) -> None:
    """Rows, weights and artifacts are those of a training of the same seed that had the machine for itself."""
    assert read_metrics(run_dir) == read_metrics(alone)
    assert same_weights(weights(run_dir), weights(alone))
    run, other = repviz.open_run(run_dir), repviz.open_run(alone)
    for kind in KINDS:
        for epoch in other.epochs(kind):
            xr.testing.assert_equal(run.read(kind, epoch), other.read(kind, epoch))


@soaking
def test_trainings_that_begin_together_are_each_as_if_alone(fit, packages, tmp_path):  # noqa: F811
    runs_dir, n_runs, epochs = tmp_path / "runs", 8, 6
    folders = {}
    for number in range(3):
        with training_together(packages, runs_dir, range(n_runs * number, n_runs * (number + 1)), epochs) as (_, pids):
            pass
        folders |= folders_of(pids, runs_dir)
        assert len(set(folders.values())) == len(folders) == len(list(runs_dir.iterdir())) == n_runs * (number + 1)
    for seed, run_dir in folders.items():
        check_whole(run_dir, seed, epochs)
    assert len({row["val_loss"] for run_dir in folders.values() for row in read_metrics(run_dir)[-1:]}) == len(folders)
    for seed in folders:
        options = ["--seed_everything", str(seed), "--trainer.max_epochs", str(epochs), "--diagnostics", "inline"]
        check_equal(folders[seed], fit(*OPTIONS, *options, name="alone"))


@contextmanager
def dashboard(runs_dir: Path) -> Iterator[str]:
    """Address of a shipped command."""
    command = [sys.executable, "-u", "-m", "repviz", "dashboard", "--runs-dir", str(runs_dir), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        address = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield address.rstrip(".,")
    finally:
        process.kill()
        process.wait()


def asked(address: str, place: str) -> Any:
    with urlopen(f"{address}/data/{place}") as answer:
        return json.load(answer)


def compared(one: str, other: str, place: str) -> bool:
    """Whether two dashboards could be compared: what the first one says did not change around the other's answer."""
    with ThreadPoolExecutor(2) as both:
        answers = [both.submit(asked, address, place) for address in (one, other)]
        first, second = (answer.result() for answer in answers)
    if asked(one, place) != first or asked(other, place) != second:
        return False
    assert first == second
    return True


def places(runs_dir: Path) -> list[str]:
    """What is asked: the list of runs, and the manifest of each."""
    return [
        "runs",
        *(f"runs/{folder.name}/manifest" for folder in runs_dir.glob("*_*") if (folder / "run.json").exists()),
    ]


@soaking
def test_two_dashboards_beside_trainings_say_the_same(packages, tmp_path):
    runs_dir = tmp_path / "runs"
    runs_dir.mkdir()
    with dashboard(runs_dir) as one, dashboard(runs_dir) as other:
        equal = {}
        with training_together(packages, runs_dir, range(3), 40) as (parent, pids):
            while parent.poll() is None:
                for place in places(runs_dir):
                    equal[place] = equal.get(place, 0) + compared(one, other, place)
        assert len(equal) == 1 + len(pids)
        assert all(count > 3 for count in equal.values()), equal
        assert {run["state"] for run in asked(one, "runs")["runs"]} == {"finished"}
        assert all(compared(one, other, place) for place in equal)
