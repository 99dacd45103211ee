"""Being told to end while no step of training runs: Lightning looks at SIGTERM only between steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the block at once, as Ctrl-C does; outside the main thread nothing is changed.

    Where Ctrl-C was ignored, as in a shell script's background, it still is.

    Raises:
        KeyboardInterrupt: either has come; its argument is which one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt(number)
