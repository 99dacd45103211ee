"""From stop to stop (epochs, or layers): which there are, and where a scene is between them."""

from collections.abc import Sequence

import numpy as np
from manim import Animation, ValueTracker

from repviz.exports.motion import Moment, ease

MOST_STOPS = 24
"""Of more epochs so many are shown, evenly spaced: a scene is looked at, not waited for."""
_SLOWEST, _FASTEST = 1.0, 0.3
"""Seconds from one stop to the next."""


def thinned(stops: Sequence[int], most: int = MOST_STOPS) -> list[int]:
    """All stops, or ``most`` of them, evenly spaced, the first and the last among them."""
    places = np.linspace(0, len(stops) - 1, min(len(stops), most)).round().astype(int)
    return [stops[k] for k in dict.fromkeys(places.tolist())]


class Travel:
    """A way along stops, slow at each of them."""

    def __init__(self, n_stops: int) -> None:
        """Args: how many stops there are, at least one."""
        self._last = n_stops - 1
        self._tracker = ValueTracker(0.0)

    @property
    def moment(self) -> Moment:
        """Where it is now."""
        at = min(max(self._tracker.get_value(), 0.0), float(self._last))
        before = int(at)
        return Moment(before, min(before + 1, self._last), at - before)

    def nearest(self) -> int:
        """Index of the nearer stop."""
        return self.moment.nearest

    @property
    def seconds(self) -> float:
        """How long the whole way takes; a single stop takes a second."""
        each = min(_SLOWEST, max(_FASTEST, 6.0 / max(self._last, 1)))
        return max(1.0, each * self._last)

    def go(self, seconds: float | None = None) -> Animation:
        """The way from the first stop to the last."""
        animate = self._tracker.animate(run_time=seconds or self.seconds, rate_func=self._rate)
        return animate.set_value(float(self._last))

    def _rate(self, t: float) -> float:
        """Share of the way at share ``t`` of the time."""
        if self._last == 0:
            return t
        at = t * self._last
        return (int(at) + ease(at - int(at))) / self._last if t < 1 else 1.0
