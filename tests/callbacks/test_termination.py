"""When several processes see whether one of them was told to end, and what comes of it."""

import signal

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException

from repviz.callbacks import termination
from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.termination import Termination


class Two:
    """In the place of a meeting; the other process was told what is given."""

    ranks = 2

    def __init__(self, other: int = 0):
        self.other = other
        self.met = 0

    def largest(self, told, *rest):
        self.met += 1
        return [max(told, self.other), *rest]


class Launcher:
    def __init__(self):
        self.sent = []

    def kill(self, number):
        self.sent.append(number)


@pytest.mark.parametrize(("seconds", "fewest", "most"), [(0.001, 90, 130), (0.01, 90, 130), (3.0, 33, 34)])
def test_they_meet_about_once_a_second_and_no_more_often_than_there_are_steps(seconds, fewest, most, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(termination.time, "monotonic", lambda: now[0])
    noted, meeting = Termination(), Two()
    while now[0] < 100:
        now[0] += seconds
        noted.after_step(meeting)
    assert fewest <= meeting.met <= most


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_was_told_all_end_with_the_signal_s_code(number):
    for told, other in ((number, 0), (0, number)):
        noted = Termination()
        noted.told = told
        for meet in (noted.agree, noted.after_step):
            with pytest.raises(SIGTERMException) as ended:
                meet(Two(other))
            assert ended.value.code == 128 + number
            assert noted.agreed
    Termination().agree(Two())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_passed_on_and_ends_a_look(number):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    noted, launcher = Termination(), Launcher()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a program in the background is started to ignore it
        noted.listen(launcher)
        with noted.noting(Two()), terminated_as_interrupted():
            signal.raise_signal(number)
            pytest.fail("the look went on")
        assert noted.told == number
        assert launcher.sent == ([signal.SIGTERM] if number == signal.SIGTERM else [])
        signal.raise_signal(signal.SIGTERM)
        assert noted.told == number
        with pytest.raises(KeyboardInterrupt):  # the second Ctrl-C does not wait for the end of the step
            signal.raise_signal(signal.SIGINT)
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def test_terminated_where_ctrl_c_is_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


class EndsItself:
    """Something that is told to end while it is finalized; Python ignores what a finalizer raises."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_lost_comes_at_the_end():
    went_on = False
    with pytest.raises(KeyboardInterrupt) as ended, terminated_as_interrupted():
        EndsItself()
        went_on = True
    assert went_on, "the interrupt was not lost"
    assert ended.value.args == (signal.SIGTERM,)
