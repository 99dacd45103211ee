"""Being told to end while no step of training runs: Lightning looks at SIGTERM only between steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the block at once, as Ctrl-C does; outside the main thread nothing is changed.

    Where Ctrl-C was ignored, as in a shell script's background, it still is. Where the interrupt was lost, as in an
    object's finalizer, of which Python ignores what it raises, it comes again at the end of the block.

    Raises:
        KeyboardInterrupt: either has come; its argument is which one.
    """
    told: list[int] = []

    def interrupt(number: int, _: object) -> None:
        told.append(number)
        raise KeyboardInterrupt(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt(told[0])
