"""Being told to end in a training of several processes, as a cluster does it: all of them end after the same step.

Lightning's own handler of SIGTERM runs a collective in the midst of whatever its process does, and a process that has
heard the signal ends on its own after its step: the others, one step further or one behind, wait for it in vain. Here
a process that hears the signal notes it, and says so when all meet next: after steps about a second apart, and after
each epoch.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from lightning.pytorch.utilities.exceptions import SIGTERMException

from repviz.callbacks.ranks import Meeting

_SECONDS_BETWEEN = 1.0


class _Launcher(Protocol):
    def kill(self, signum: int) -> None:
        """Send a signal to the processes that it has started."""


class Termination:
    """Whether this process was told to end, and whether all have agreed on that.

    Attributes:
        told: number of the signal, 0 = none.
        agreed: whether all end because one of them was told to.
    """

    def __init__(self) -> None:
        self.told = 0
        self.agreed = False
        self._launcher: _Launcher | None = None
        self._steps = 0
        self._every = 1
        """Steps from one meeting to the next; the same on every rank."""
        self._met = time.monotonic()

    def listen(self, launcher: _Launcher | None) -> None:
        """Note SIGTERM and the first Ctrl-C from now on; Lightning puts its caller's handlers back when it ends.

        Args:
            launcher: what has started other processes of this training, if anything in this one has.
        """
        self._launcher = launcher
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._note)
            if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                signal.signal(signal.SIGINT, self._note)

    @contextmanager
    def noting(self, meeting: Meeting) -> Iterator[None]:
        """Where the others wait, an interrupt ends the block alone, and is said at the next meeting.

        Raises:
            KeyboardInterrupt: there are no others.
        """
        try:
            yield
        except KeyboardInterrupt as error:
            if meeting.ranks == 1:
                raise
            self._hear(error.args[0] if error.args else signal.SIGINT)

    def agree(self, meeting: Meeting) -> None:
        """Meet; on every rank.

        Raises:
            SIGTERMException: one of the processes was told to end; on all of them.
        """
        if meeting.ranks > 1:
            self._end_if(meeting.largest(self.told)[0])

    def after_step(self, meeting: Meeting) -> None:
        """Meet where it is time for that; on every rank after every step. Raises as ``agree``."""
        if meeting.ranks == 1:
            return
        self._steps += 1
        if self._steps < self._every:
            return
        fitting = self._steps * _SECONDS_BETWEEN / max(time.monotonic() - self._met, 1e-9)
        told, fewest = meeting.largest(self.told, -max(1, int(min(fitting, 2 * self._every))))
        self._steps, self._every, self._met = 0, -fewest, time.monotonic()
        self._end_if(told)

    def _end_if(self, told: int) -> None:
        if told:
            self.agreed = True
            raise SIGTERMException(128 + told)

    def _note(self, number: int, _: object) -> None:
        if number == signal.SIGINT and self.told:  # someone does not want to wait for the end of the step
            raise KeyboardInterrupt(number)
        self._hear(number)

    def _hear(self, number: int) -> None:
        if not self.told and number == signal.SIGTERM and self._launcher is not None:
            self._launcher.kill(signal.SIGTERM)  # of Ctrl-C a terminal tells them all
        self.told = self.told or int(number)
