"""What the scenes are made of: the eye, the way along stops, words on their baseline, regions of classes."""

import cairo
import numpy as np
import pytest
from manim import tempconfig

from repviz.scenes.decision_boundary_forms import _Regions
from repviz.scenes.lettering import PIXEL, fitted_line
from repviz.scenes.painting import raster, rgb
from repviz.scenes.relief import Axis, Dots, Relief
from repviz.scenes.space import View, corners, heights_at, lighting, resampled, seen
from repviz.scenes.travel import Travel, thinned
from repviz.theme import LOOKS, class_colors


@pytest.fixture(autouse=True)
def _words_elsewhere(tmp_path):
    """Manim keeps pictures of words in its media folder, which else lies where the tests are started."""
    with tempconfig({"media_dir": str(tmp_path)}):
        yield


def test_from_above_it_is_a_map_and_from_the_side_a_skyline():
    points = np.array([[0.5, 0.2, 0.0], [-0.3, 0.7, 0.0]])
    where, nearness = seen(points, View(0, 90))
    np.testing.assert_allclose(where, points[:, :2], atol=1e-12)
    np.testing.assert_allclose(nearness, 0, atol=1e-12)
    where, nearness = seen(np.array([[0.5, 0.0, 0.3], [0.5, -1.0, 0.3]]), View(0, 0))
    np.testing.assert_allclose(where[0], [0.5, 0.3])
    assert nearness[1] > nearness[0]
    np.testing.assert_allclose(where[1] / where[0], 7 / 6)  # a seventh nearer, a sixth larger


def test_turning_once_around_changes_nothing_and_a_quarter_swaps_the_axes():
    points = np.random.default_rng(0).normal(size=(20, 3)) / 3
    for one, other in zip(seen(points, View(30, 40)), seen(points, View(390, 40)), strict=True):
        np.testing.assert_allclose(one, other)
    quarter = np.stack([-points[:, 1], points[:, 0], points[:, 2]], axis=1)
    np.testing.assert_allclose(seen(points, View(90, 25))[0], seen(quarter, View(0, 25))[0])


def test_faces_go_around_their_cell_and_light_comes_from_above():
    np.testing.assert_array_equal(corners((2, 3)), [[0, 3, 4, 1], [1, 4, 5, 2]])
    x, y = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 3), indexing="ij")
    flat = lighting(np.stack([x, y, 0 * x], axis=-1))
    assert flat.shape == (3, 2)
    np.testing.assert_allclose(flat, flat[0, 0])
    toward = lighting(np.stack([x, y, x], axis=-1))[0, 0]  # its face looks to the light, at the left
    away = lighting(np.stack([x, y, -x], axis=-1))[0, 0]
    assert toward > flat[0, 0] > away


@pytest.mark.parametrize("size", [(3, 5), (21, 21), (96, 60)])
def test_resampling_keeps_what_is_straight_and_the_points_of_a_coarse_grid(size):
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(0, 2, size[1]), indexing="ij")
    fine = resampled(2 * x - 3 * y, 40)
    straight = [np.linspace(-1, 1, fine.shape[0]), np.linspace(0, 2, fine.shape[1])]
    np.testing.assert_allclose(fine, 2 * straight[0][:, None] - 3 * straight[1][None], atol=1e-9)
    assert 24 <= min(fine.shape) <= max(fine.shape) <= 2 * 40
    if size == (3, 5):
        bent = np.random.default_rng(0).normal(size=size)
        finer = resampled(bent, 40)
        np.testing.assert_allclose(finer[:: (len(finer) - 1) // 2, :: (finer.shape[1] - 1) // 4], bent)


def test_what_rides_on_a_surface_is_as_high_as_it():
    axes = np.linspace(-2, 2, 9), np.linspace(0, 3, 7)
    heights = axes[0][:, None] * 2 + axes[1][None]
    places = np.array([[0.3, 1.1], [-2, 0], [2, 3]])
    np.testing.assert_allclose(heights_at(heights, places, axes), 2 * places[:, 0] + places[:, 1])


def test_what_is_behind_a_hill_is_hidden_and_a_hole_shows_it():
    """A ridge across the box, a red point behind it at the height of the valley."""
    x = np.linspace(-1, 1, 21)
    ridge = np.exp(-((x / 0.2) ** 2))[None] + 0 * x[:, None]
    look = LOOKS["dark"]
    relief = Relief(x, x, 0.0, 1.0, (Axis("x"), Axis("y"), Axis("z")), (-7, -4, 14, 8), "dark", look)
    red = np.array([[1.0, 0.0, 0.0]])

    def reds(heights, y):
        pixels = np.zeros((160, 280, 4), np.uint8)
        surface = cairo.ImageSurface.create_for_data(pixels, cairo.FORMAT_ARGB32, 280, 160)
        context = cairo.Context(surface)
        context.set_matrix(cairo.Matrix(20, 0, 0, -20, 140, 80))
        relief.paint(context, heights, View(0, 12), dots=[Dots(np.array([[0.0, y, 0.02]]), red, 20)])
        return int(((pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)).sum())

    assert reds(ridge, -0.7) > 20
    assert reds(ridge, 0.7) == 0
    assert reds(np.full_like(ridge, np.nan), 0.7) > 20


def test_the_way_rests_at_every_stop_and_all_of_them_are_passed():
    travel = Travel(4)
    at = np.array([travel._rate(t) for t in np.linspace(0, 1, 301)]) * 3
    np.testing.assert_allclose(at[[0, 100, 200, 300]], [0, 1, 2, 3], atol=1e-9)
    assert (np.diff(at) >= 0).all()
    assert np.diff(at)[[1, 99, 101]].max() < 1e-3 < np.diff(at)[50]
    assert Travel(1).moment.nearest == 0


def test_thinned_keeps_first_and_last():
    assert thinned([3, 5, 9]) == [3, 5, 9]
    found = thinned(list(range(1000)), 24)
    assert len(found) == 24
    assert (found[0], found[-1]) == (0, 999)


def test_words_stand_on_their_baseline_whatever_their_letters():
    heights = {text: np.concatenate(fitted_line(text, 20).strokes)[..., 1] for text in ("xz", "pq", "H")}
    assert heights["xz"].min() == pytest.approx(0, abs=0.5 * PIXEL)
    assert heights["pq"].min() < -2 * PIXEL
    assert heights["H"].max() == pytest.approx(0.727 * 20 * PIXEL, rel=0.02)
    assert fitted_line("", 20).strokes == []
    long = "a long sentence that goes on and on " * 8
    assert np.ptp(np.concatenate(fitted_line(long, 20).strokes)[..., 1]) < 30 * PIXEL  # one line
    assert fitted_line(long, 20, room=3.0).width <= 3.0
    markup = fitted_line("<b>$x$</b>", 20)
    assert markup.width > fitted_line("x", 20).width * 4


def test_regions_have_the_classes_colors_and_a_rim_where_they_meet():
    box = (0.0, 0.0, 4.0, 2.0)
    regions = _Regions(2, "#000000", "#ffffff", box, (5, 9))
    right = np.broadcast_to(np.linspace(0, 1, 9), (5, 9))
    found = regions.pixels(np.stack([1 - right, right])) / 255
    assert found.shape[1] == 2 * found.shape[0]
    colors = [np.array(rgb(color)) for color in class_colors(2)]
    for column, color in ((0, colors[0]), (-1, colors[1])):
        np.testing.assert_allclose(found[5, column], 0.75 * color, atol=0.01)
    rim = found[5].min(axis=1).argmax()
    assert rim == pytest.approx(found.shape[1] / 2, abs=1.5)
    weak = found[5, int(0.4 * found.shape[1])].sum()
    assert weak < found[5, 0].sum()


def test_a_raster_lies_over_its_box_with_the_first_row_below():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0], pixels[1, 2] = (255, 0, 0), (0, 255, 0)
    canvas = np.zeros((80, 120, 4), np.uint8)
    surface = cairo.ImageSurface.create_for_data(canvas, cairo.FORMAT_ARGB32, 120, 80)
    context = cairo.Context(surface)
    context.set_matrix(cairo.Matrix(10, 0, 0, -10, 60, 40))
    raster(context, pixels, (-3, -2, 6, 4))
    assert tuple(canvas[58, 31, :3]) == (255, 0, 0)
    assert tuple(canvas[21, 88, :3]) == (0, 255, 0)
    assert not canvas[10].any()
