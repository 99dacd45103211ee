"""Ctrl-C at a chosen instruction, as fault injection does it with calls."""

import itertools
import opcode
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_LOOKS_AFTER = ("RESUME", "JUMP_BACKWARD", "CALL")
"""How the instructions begin after which Python looks whether a signal has come."""


def interrupted_at(number: int, call: Callable[[], object]) -> bool:
    """Whether ``call`` came to where Python looks for signals for the ``number``-th time: it was interrupted there.

    Python's own library counts too: there its locks are taken. Only this thread is interrupted.
    """
    left = number
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "call":
            last[frame] = "RESUME"
        if event == "return":
            last.pop(frame, None)
        if event == "opcode":
            left -= last.get(frame, "").startswith(_LOOKS_AFTER)
            if left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            last[frame] = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return left < 0


def each_interrupt(begin: Callable[[], Any], interrupted: Callable[[Any], object]) -> Iterator[tuple[int, Any]]:
    """Interrupt ``interrupted(begin())`` everywhere, once per turn; gives how often it looked before, and on what.

    The last turn is not interrupted.

    Raises:
        TimeoutError: what was interrupted does not come back.
    """
    for number in itertools.count():
        subject, came = begin(), []
        if not ends(lambda: came.append(interrupted_at(number, lambda: interrupted(subject)))):  # noqa: B023
            raise TimeoutError(f"it hangs when it is interrupted after {number} looks")
        yield number, subject
        if came != [True]:
            return


def ends(call: Callable[[], object], seconds: float = 10) -> bool:
    """Whether ``call`` comes back within so many seconds."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
