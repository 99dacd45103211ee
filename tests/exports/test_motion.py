"""Time: slow at both ends, exactly at the stops, and as long as was said."""

import numpy as np
import pytest

from repviz.exports.motion import Moment, ease, moments, n_moments


def test_easing_is_slow_at_both_ends_and_even_about_the_middle():
    t = np.linspace(0, 1, 101)
    eased = np.array([ease(v) for v in t])
    np.testing.assert_allclose(eased + eased[::-1], 1, atol=1e-12)
    assert eased[0] == 0
    assert eased[-1] == 1
    speed = np.diff(eased)
    assert (speed > 0).all()
    assert speed[0] < speed[50] / 100


@pytest.mark.parametrize(("stops", "fps", "seconds"), [(1, 30, 0.5), (2, 30, 0.5), (5, 25, 0.01), (4, 100 / 3, 0.5)])
def test_frames_are_as_many_as_announced(stops, fps, seconds):
    assert len(list(moments(stops, fps, seconds))) == n_moments(stops, fps, seconds)


def test_every_stop_is_met_exactly_and_the_way_between_takes_its_time():
    places = np.array([[0.0], [10.0], [-2.0]])
    found = np.array([m.of(places)[0] for m in moments(3, 10, 1.0)])
    at = [int(np.flatnonzero(found == value)[0]) for value in (0.0, 10.0, -2.0)]
    assert at[1] - at[2] == -10  # ten frames a second, a second from stop to stop
    assert at[0] == 0
    np.testing.assert_allclose(found[at[1] + 5], 4.0)  # halfway in time, halfway in space


def test_the_nearer_stop_is_named():
    assert Moment(1, 2, 0.49).nearest == 1
    assert Moment(1, 2, 0.51).nearest == 2
