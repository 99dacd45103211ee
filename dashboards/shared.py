"""One answer for all who ask for the same while it is being made, so that many pages cost hardly more than one."""

import threading
from collections.abc import Callable, Hashable
from typing import Any


class _Making:
    """What is made for one key, as long as somebody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asking = 0
        self.begun = 0
        self.made: tuple[int, Any] = (0, None)


class Shared:
    """Values by key, each made by one thread at a time; nothing is kept once nobody waits."""

    def __init__(self) -> None:
        """Nothing is being made."""
        self._lock = threading.Lock()
        self._making: dict[Hashable, _Making] = {}

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """``make()``, or what another thread got from its own that began after this call.

        Never one that began before: what happened until this call is in the answer. Errors are not shared: whoever
        waited for one makes the value again. ``make`` must not ask for its own ``key``.
        """
        with self._lock:
            making = self._making.setdefault(key, _Making())
            making.asking += 1
            before = making.begun
        try:
            with making.lock:
                number, value = making.made
                if number <= before:
                    making.begun = number = making.begun + 1
                    value = make()
                    making.made = (number, value)
            return value
        finally:
            with self._lock:
                making.asking -= 1
                if not making.asking:
                    del self._making[key]
