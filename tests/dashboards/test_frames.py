"""Quantised maps: no point moves by more than half a step, whatever the shape of the cloud."""

import json

import numpy as np
import pytest

from repviz.dashboards.frames import MISSING, extent, header_of, quantise, with_header

SHAPES = {"wide": [8, 1], "tall": [0.001, 50], "square": [1, 1], "far away": [1e-3, 1e-3], "flat": [0, 2]}


@pytest.mark.parametrize("shape", SHAPES)
def test_quantising_loses_at_most_half_a_step(shape):
    points = (np.random.default_rng(0).normal(size=(500, 2)) * SHAPES[shape]).astype(np.float32)
    if shape == "far away":
        points += 10
    limits = extent(points)
    x_min, x_max, y_min, y_max = limits
    half = max(x_max - x_min, y_max - y_min) / 2
    steps = quantise(points, limits)
    assert np.abs(steps.astype(int)).max() == 32767  # all of the range is used, none of it twice
    found = steps.T / 32767 * half + [(x_min + x_max) / 2, (y_min + y_max) / 2]
    np.testing.assert_allclose(found, points, rtol=0, atol=half / 32767 * 0.501)


def test_points_at_one_place_lie_in_the_middle():
    assert (quantise(np.full((5, 2), 3.0), [3, 3, 3, 3]) == 0).all()


def test_what_is_not_finite_is_missing_and_does_not_count():
    points = np.array([[0, 0], [2, 4], [np.nan, 1], [np.inf, -np.inf]])
    limits = extent(points)
    assert limits == [0, 2, 0, 4]
    steps = quantise(points, limits)
    assert steps[0, 2] == steps[0, 3] == steps[1, 3] == MISSING
    assert MISSING not in steps[:, :2]


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd", "größe", "層"])
def test_content_begins_at_a_multiple_of_four_after_any_header(name):
    block = with_header({"layers": [name]}, b"\x01\x02")
    length = int.from_bytes(block[:4], "little")
    assert (4 + length) % 4 == 0
    assert block[4 + length :] == b"\x01\x02"
    assert header_of(block) == {"layers": [name]}
    assert json.loads(block[4 : 4 + length].decode())["layers"] == [name]


def test_a_header_never_holds_what_json_cannot():
    with pytest.raises(ValueError):
        with_header({"trust": float("nan")}, b"")
