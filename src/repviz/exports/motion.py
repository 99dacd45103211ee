"""When what is shown: from one stop (an epoch, or a layer) to the next, slow at both ends."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FIRST_HOLD, LAST_HOLD = 0.5, 1.5
"""Seconds that the first and the last stop stand still."""
STILL_SECONDS = 2.0
"""Length of a video that has one stop only."""


@dataclass(frozen=True)
class Moment:
    """A time between two stops.

    Attributes:
        before: index of the stop that is left.
        after: index of the stop that comes; ``before`` while it stands still.
        share: way that is gone from ``before`` to ``after``, eased, 0 to 1.
    """

    before: int
    after: int
    share: float

    @property
    def nearest(self) -> int:
        """Index of the nearer stop."""
        return self.after if self.share >= 0.5 else self.before

    def of(self, stops: np.ndarray) -> np.ndarray:
        """Values at this moment of ``(stop, ...)`` values; a stop's own are returned as they are."""
        if self.before == self.after or self.share == 0:
            return stops[self.before]
        return stops[self.before] + (stops[self.after] - stops[self.before]) * self.share


def ease(t: float) -> float:
    """Cubic, slow at both ends: 0 at 0, 1/2 at 1/2, 1 at 1, as the maps in the browser move."""
    return 4 * t**3 if t < 0.5 else 1 - (2 - 2 * t) ** 3 / 2


def moments(n_stops: int, fps: float, seconds_per_stop: float) -> Iterator[Moment]:
    """One per frame: a hold, the way from stop to stop, and a longer hold; a single stop stands still."""
    if n_stops == 1:
        yield from [Moment(0, 0, 0.0)] * round(fps * STILL_SECONDS)
        return
    yield from [Moment(0, 0, 0.0)] * round(fps * FIRST_HOLD)
    steps = steps_per_stop(fps, seconds_per_stop)
    for stop in range(n_stops - 1):
        for step in range(1, steps):
            yield Moment(stop, stop + 1, ease(step / steps))
        yield Moment(stop + 1, stop + 1, 0.0)
    yield from [Moment(n_stops - 1, n_stops - 1, 0.0)] * round(fps * LAST_HOLD)


def n_moments(n_stops: int, fps: float, seconds_per_stop: float) -> int:
    """How many ``moments`` there are."""
    if n_stops == 1:
        return round(fps * STILL_SECONDS)
    return round(fps * FIRST_HOLD) + (n_stops - 1) * steps_per_stop(fps, seconds_per_stop) + round(fps * LAST_HOLD)


def steps_per_stop(fps: float, seconds_per_stop: float) -> int:
    """Frames from one stop to the next, at least one."""
    return max(1, round(fps * seconds_per_stop))
