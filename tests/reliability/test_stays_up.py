"""The dashboard stays up: many clients, a run that is being written, files that appear, vanish and break."""

import json
import logging
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest

from benchmarks.dashboard_parts.clients import watch
from repviz.store.artifacts import artifact_path
from tests.dashboards.synthetic_run import SyntheticRun

log = logging.getLogger(__name__)
MOST_MS = 100
"""95 of 100 answers come within it, with make soak."""
LEAST_SHARE = 0.7
"""Of the manifests that so many clients ask for in that time, were each answered at once."""
MOST_GROWTH = 60e6
"""Bytes of memory beyond what it has taken at first, in the seconds of the suite: caches and threads begin."""
MOST_A_MINUTE = 3e6
"""Bytes by which its memory may grow in a minute once a third of the time is over, with make soak.

By then the cache of what pages were told is full: 64 MB, of which each state of the run takes 2 kB and 150 bytes for
each epoch and kind, and an epoch brings two to four to one that has 1,200 already. What goes on to grow are
frames, 16 kB an epoch or 0.5 MB a minute, which end at 256 MB.
"""


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
        epoch = len(run.rows)
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


@contextmanager
def memory_of(process: psutil.Process, every: float) -> Iterator[list[tuple[float, int]]]:
    """Seconds since it began, and bytes, noted every few seconds while the block lasts."""
    over, noted, began = threading.Event(), [], time.monotonic()

    def note() -> None:
        while not over.wait(every):
            noted.append((time.monotonic() - began, process.memory_info().rss))

    noting = threading.Thread(target=note)
    noting.start()
    try:
        yield noted
    finally:
        over.set()
        noting.join()


def growth_a_minute(noted: list[tuple[float, int]]) -> float:
    """Of the straight line through what was noted after the first third."""
    seconds, held = np.array(noted[len(noted) // 3 :]).T
    return 60 * np.polyfit(seconds, held, 1)[0]


def made(folder: Path, name: str, epochs: int = 3) -> SyntheticRun:
    run = SyntheticRun(folder / name, n=300, kinds=("projection", "prediction"), max_epochs=2_000)
    for epoch in range(epochs):
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
    live = made(tmp_path, "20260101_000000", epochs=times(3, 1_200))
    for number in range(2, 5):
        made(tmp_path, f"2026010{number}_000000").say("finished")
    broken = tmp_path / "20260106_000000"
    broken.mkdir()
    (broken / "run.json").write_text("{ this is no JSON")
    clients, seconds = times(4, 50), times(4.0, 600.0)
    watch(address, live.path.name, clients, min(seconds, 20.0))  # caches fill, threads are made
    memory, handles = process.memory_info().rss, process.num_fds()
    with (
        busy(times(0, 1)),
        being_written(live, times(0.5, 2.0)),
        memory_of(process, times(0.2, 5.0)) as noted,
    ):
        slow, problems = watch(address, live.path.name, clients, seconds)
    assert {problem.rpartition(" ")[2] for problem in problems} <= {"404", "422"}, "files that vanished or broke"
    assert slow["manifest"][0] >= LEAST_SHARE * clients * seconds
    time.sleep(1)
    assert process.num_fds() <= handles + 8
    check_states(address, broken.name)
    more, growth = process.memory_info().rss - memory, growth_a_minute(noted)
    if not times(0, 1):
        assert more < MOST_GROWTH
        return
    took = {name: f"{ms:.0f} ms" for name, (_, ms) in slow.items()}
    log.info("%s; %d manifests, %.0f MB more, %.1f MB a minute", took, slow["manifest"][0], more / 1e6, growth / 1e6)
    assert growth < MOST_A_MINUTE, [f"{at:.0f} s: {held / 1e6:.0f} MB" for at, held in noted[::6]]
    assert all(ms < MOST_MS for _, ms in slow.values()), slow


def test_memory_that_grows_is_seen_whatever_it_began_with():
    begin = [(float(at), 100_000_000 + 5_000_000 * at) for at in range(10)]
    flat, leak = ([(float(at), held + rate * at) for at in range(10, 40)] for held, rate in ((3e8, 0), (2e8, 1e6)))
    assert abs(growth_a_minute(begin + flat)) < 1e6
    assert growth_a_minute(begin + leak) == pytest.approx(60e6, rel=0.01)


def test_a_client_that_cannot_go_on_is_a_problem():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        _, problems = watch(f"http://127.0.0.1:{taken.getsockname()[1]}", "20260101_000000", 2, 1.0)
    assert len(problems) == 2
    assert all("ConnectionRefusedError" in problem for problem in problems)
