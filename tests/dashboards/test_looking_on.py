"""Work that no page waits for: done to its end, in turn, by one thread that leaves time in between."""

import threading
import time

import pytest

from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.looking_on import LookingOn
from repviz.dashboards.manifest import Manifests


def wait_until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "repviz-looking-on"]


@pytest.fixture(autouse=True)
def _nobody_else() -> None:
    """What tests before it have begun in this process is over."""
    wait_until(lambda: not threads(), 60)


class Pieces:
    """So many pieces of work under each key; what was done, in order."""

    def __init__(self, **pieces: int) -> None:
        self.left = dict(pieces)
        self.done: list[str] = []
        self.at_once = 0

    def piece(self, key: str):
        def work() -> bool:
            self.at_once = max(self.at_once, len(threads()))
            self.done.append(key)
            self.left[key] -= 1
            return self.left[key] > 0

        return work


def test_all_is_done_in_turn_by_one_thread_that_then_ends():
    looking, pieces = LookingOn(rest=0.0), Pieces(a=3, b=2)
    begin = threading.Event()
    looking.go_on("first", lambda: not begin.wait(10))
    for key in pieces.left:
        looking.go_on(key, pieces.piece(key))
    begin.set()
    wait_until(lambda: not threads())
    assert pieces.done == ["a", "b", "a", "b", "a"]
    assert pieces.at_once == 1
    looking.go_on("a", pieces.piece("a"))  # whoever comes later is served as well
    wait_until(lambda: not threads())
    assert len(pieces.done) == 6


def test_asking_again_meanwhile_does_nothing_twice():
    looking, pieces = LookingOn(rest=0.0), Pieces(a=3)
    begin = threading.Event()
    looking.go_on("first", lambda: not begin.wait(10))
    for _ in range(5):
        looking.go_on("a", pieces.piece("a"))
    begin.set()
    wait_until(lambda: not threads())
    assert pieces.done == ["a", "a", "a"]


def test_one_that_raises_keeps_no_other_from_its_turn():
    looking, pieces = LookingOn(rest=0.0), Pieces(a=2)
    looking.go_on("bad", lambda: 1 / 0)
    looking.go_on("a", pieces.piece("a"))
    wait_until(lambda: not threads())
    assert pieces.done == ["a", "a"]


def test_it_rests_as_long_as_it_has_worked(monkeypatch):
    clock, rests = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", rests.append)
    pieces, over = Pieces(a=3), threading.Event()

    def work() -> bool:
        clock[0] += 0.25
        left = pieces.piece("a")()
        if not left:
            over.set()
        return left

    LookingOn().go_on("a", work)
    assert over.wait(10)
    for thread in threads():
        thread.join(10)
    assert rests == [0.25, 0.25, 0.25]


def test_a_page_waits_for_the_newest_map_and_the_others_come_by_themselves(runs_dir, make_run, monkeypatch):
    run = make_run(epochs=12, n=40)
    manifests = Manifests(Catalog(runs_dir), FileCache(10_000_000), look_seconds=0.0)
    seen, boxes_in = [], manifests._extents._boxes_in

    def slow(path):
        seen.append((path.stem, threading.current_thread().name))
        time.sleep(0.03)
        return boxes_in(path)

    monkeypatch.setattr(manifests._extents, "_boxes_in", slow)
    found = manifests._catalog.find(run.path.name)
    first = manifests.of_run(found)["extents"]
    mine = threading.current_thread().name
    assert [epoch for epoch, thread in seen if thread == mine] == ["epoch_000012"]
    wait_until(lambda: len(seen) == 13 and not threads())
    last = manifests.of_run(found)["extents"]
    assert sorted(epoch for epoch, _ in seen) == [f"epoch_{k:06d}" for k in range(13)], "each once"
    whole = Manifests(Catalog(runs_dir), FileCache(10_000_000), look_seconds=60.0).of_run(found)["extents"]
    assert last == whole
    assert first != whole
