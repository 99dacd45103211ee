"""Ctrl-C wherever Python looks for it, in what shares something with a thread: nothing waits for good afterwards."""

import itertools
import threading
import time

import pytest

from repviz.background.lane import Job, Lane
from repviz.background.settings import BackgroundSettings
from repviz.data.blocks import ahead
from repviz.store.heartbeat import Heartbeat
from repviz.store.run_folder import read_run_file
from tests.reliability.interrupting import each_interrupt, ends, interrupted_at

LOST = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""One that comes in an object's finalizer is ignored by Python."""


def test_it_comes_everywhere_between_calls():
    done = []

    def three():
        done.append(1)
        done.append(2)
        done.append(3)

    seen = set()
    for number in itertools.count():
        done.clear()
        came = interrupted_at(number, three)
        seen.add((len(done), came))
        if not came:
            break
    assert seen == {(0, True), (1, True), (2, True), (3, True), (3, False)}


def test_it_leaves_a_condition_locked_and_a_lock_as_it_was():
    """What the other tests are about."""

    def enter(lock):
        with lock:
            pass

    def left_locked(kind):
        return [lock for _, lock in each_interrupt(kind, enter) if not ends(lambda lock=lock: enter(lock), 0.05)]

    assert left_locked(lambda: threading.Condition(threading.Lock()))
    assert not left_locked(threading.Lock)


@LOST
@pytest.mark.parametrize("call", ["put", "finish", "stop"])
def test_a_lane_ends_when_told_to(call, tmp_path, monkeypatch):
    monkeypatch.setattr(Lane, "_attempt", lambda lane, job, left: left.clear())
    job = Job(1, 10, ("geometry",), tmp_path)

    def begin():
        return Lane(tmp_path, tmp_path, BackgroundSettings(), lambda *_: None, lambda *_: None)

    calls = {"put": lambda lane: lane.put(job), "finish": Lane.finish, "stop": Lane.stop}
    for number, lane in each_interrupt(begin, calls[call]):
        began = time.monotonic()
        assert ends(lane.stop), number
        assert lane.wait(0), number
        assert time.monotonic() - began < 2, number
    assert number > 1


@LOST
def test_a_heartbeat_ends_when_told_to(tmp_path):
    def begin():
        beat = Heartbeat(tmp_path, {"state": "running"}, dict)
        beat.start()
        return beat

    def stop(beat):
        beat.stop(state="stopped")

    for number, beat in each_interrupt(begin, stop):
        assert ends(lambda beat=beat, number=number: beat.stop(state="stopped", number=number)), number
        assert read_run_file(tmp_path)["number"] == number
        assert not beat._thread.is_alive()
    assert number > 50


@LOST
def test_a_reader_ahead_ends_with_who_is_interrupted():
    def begin():
        made = ahead(iter(range(100)))
        next(made)
        return made

    def take(made):
        for _ in range(3):
            next(made)

    for number, made in each_interrupt(begin, take):
        assert ends(made.close), number
    assert number > 5
