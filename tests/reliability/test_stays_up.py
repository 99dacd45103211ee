"""The dashboard stays up: many clients, a run that is being written, files that appear, vanish and break."""

import json
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from benchmarks.dashboard_parts.clients import watch
from repviz.store.artifacts import artifact_path
from tests.dashboards.synthetic_run import SyntheticRun

MOST_MS = 100
"""95 of 100 answers come within it, with make soak."""
MOST_GROWTH = (60e6, 200e6)
"""Bytes of memory beyond what it has taken at first, in seconds and in ten minutes of epochs that come: caches fill."""


@pytest.fixture
def server(tmp_path) -> Iterator[tuple[str, psutil.Process]]:
    """The shipped command's address, and its process."""
    command = [sys.executable, "-u", "-m", "repviz", "dashboard", "--runs-dir", str(tmp_path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        address = next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield address.rstrip(".,"), psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processor cores with other things to do."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def being_written(run: SyntheticRun, seconds: float) -> Iterator[None]:
    """New epochs of a run; now and then one of its files is taken away, or broken."""
    over, chance = threading.Event(), random.Random(0)

    def write() -> None:
        epoch = 3
        while not over.wait(seconds):
            run.write_epoch(epoch)
            old = artifact_path(run.path, "projection", chance.randrange(epoch))
            if chance.random() < 0.3:
                old.unlink(missing_ok=True)
            elif chance.random() < 0.3 and old.exists():
                content = bytearray(old.read_bytes())
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
                old.write_bytes(content)
            epoch += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def made(folder: Path, name: str, **options) -> SyntheticRun:
    run = SyntheticRun(folder / name, n=300, kinds=("projection", "prediction"), max_epochs=2_000, **options)
    for epoch in range(3):
        run.write_epoch(epoch)
    return run


def check_states(address: str, broken: str) -> None:
    """One run is broken, which is said of it alone; the others are served."""
    with urlopen(f"{address}/data/runs") as answer:
        states = {entry["name"]: entry["state"] for entry in json.load(answer)["runs"]}
    assert len(states) == 5
    assert {name for name, state in states.items() if state == "damaged"} == {broken}
    for name in states:
        with urlopen(f"{address}/data/runs/{name}/manifest") as answer:
            manifest = json.load(answer)
        assert bool(manifest["artifacts"]) == (name != broken), name
        assert (manifest["state"] == "damaged") == (name == broken)


def test_many_clients_on_a_live_run_beside_busy_cores(server, tmp_path, times):
    address, process = server
    live = made(tmp_path, "20260101_000000")
    for number in range(2, 5):
        made(tmp_path, f"2026010{number}_000000").say("finished")
    broken = tmp_path / "20260106_000000"
    broken.mkdir()
    (broken / "run.json").write_text("{ this is no JSON")
    clients, seconds = times(4, 50), times(4.0, 600.0)
    watch(address, live.path.name, clients, min(seconds, 20.0))  # caches fill, threads are made
    memory, handles = process.memory_info().rss, process.num_fds()
    with busy(times(0, 1)), being_written(live, times(0.5, 2.0)):
        slow, problems = watch(address, live.path.name, clients, seconds)
    assert {problem.rpartition(" ")[2] for problem in problems} <= {"404", "422"}, "files that vanished or broke"
    time.sleep(1)
    assert process.num_fds() <= handles + 8
    assert process.memory_info().rss < memory + times(*MOST_GROWTH), "its caches may fill, and no more"
    check_states(address, broken.name)
    assert slow["manifest"][0] > clients
    if times(0, 1):
        took = {name: f"{ms:.0f} ms" for name, (_, ms) in slow.items()}
        logging.getLogger(__name__).info("%s; %.0f MB more", took, (process.memory_info().rss - memory) / 1e6)
        assert all(ms < MOST_MS for _, ms in slow.values()), slow
