"""Videos, decoded again: as long and as large as asked, moving, and with the points where the artifacts say."""

import itertools
import os

import numpy as np
import pytest

from repviz.cli import main
from repviz.errors import UserError
from repviz.exports.layouts import compose
from repviz.exports.motion import Moment
from repviz.exports.video import VideoSettings, frames, n_frames, write_video
from repviz.run import open_run
from repviz.theme import class_colors
from tests.exports.readers import decoded

SMALL = {"size": (480, 360), "fps": 12, "seconds_per_epoch": 0.25}
FRAMES = 6 + 3 * 3 + 18
"""Half a second, three epochs of a quarter, one and a half seconds."""


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_a_film_decodes_to_what_was_drawn(run, tmp_path, ending, codec):
    settings = VideoSettings(**SMALL, out=tmp_path / "new" / f"film.{ending}")
    written = write_video(run.path, settings)
    pictures, facts = decoded(written)
    assert facts == (codec, 480, 360, 12.0, pytest.approx(FRAMES / 12, abs=0.1))
    assert len(pictures) == FRAMES == n_frames(run, settings)
    drawn = list(frames(run, settings))
    for there, meant in zip(pictures, drawn, strict=True):
        assert np.abs(there.astype(int) - meant).mean() < 4
    moved = [np.abs(a.astype(int) - b).max() > 60 for a, b in itertools.pairwise(pictures)]
    assert all(moved[6:14])
    assert not any(moved[:5])
    assert os.listdir(written.parent) == [written.name]


def test_a_gif_moves_and_lasts_as_long(run, tmp_path):
    settings = VideoSettings(**SMALL, out=tmp_path / "film.gif")
    pictures, facts = decoded(write_video(run.path, settings))
    assert facts[:3] == ("gif", 480, 360)
    assert facts[4] == pytest.approx(n_frames(run, settings) / settings.rate, abs=0.15)
    assert settings.rate == 12.5
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 60
    assert np.abs(pictures[-1].astype(int) - list(frames(run, settings))[-1]).mean() < 4


def test_one_epoch_is_a_still_of_two_seconds(grow, tmp_path):
    path = grow([0], n=40)
    settings = VideoSettings(**SMALL, out=tmp_path / "still.mp4")
    pictures, facts = decoded(write_video(path, settings))
    assert facts[4] == pytest.approx(2.0, abs=0.1)
    assert len(pictures) == 24
    first, *others = frames(open_run(path), settings)
    assert all((first == other).all() for other in others)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_points_are_drawn_where_the_artifact_says_in_their_class_colour(run, theme):
    scene = compose(run, VideoSettings(size=(1280, 720), theme=theme, layout="single"))
    picture = scene.picture(Moment(3, 3, 0.0))
    dataset = run.read("projection", 3)
    points = dataset["coordinates"].sel({"layer": "penultimate", "method": "umap"}).values
    x, y = scene.parts[0].screen.pixels(points)
    alone = [
        i
        for i in np.flatnonzero(dataset["split"].values == 0)
        if np.sort(np.hypot(x - x[i], y - y[i]))[1] > 16 and dataset["label"].values[i] >= 0
    ]
    assert len(alone) > 5
    for i in alone:
        color = class_colors(6)[dataset["label"].values[i]]
        expected = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
        assert np.abs(picture[round(y[i]), round(x[i])] - expected).max() < 45  # the points are a little transparent
    assert y[points[:, 1].argmax()] == y.min()  # the second component goes up


@pytest.mark.parametrize(
    "settings",
    [
        {"layout": "grid"},
        {"layout": "film"},
        {"panel": "probe"},
        {"panel": "surface"},
        {"panel": "landscape", "theme": "light", "method": "pca"},
        {"layer": "input", "layout": "single"},
    ],
    ids=str,
)
def test_every_layout_and_panel_moves(run, settings):
    scene = compose(run, VideoSettings(**SMALL, **settings))
    stops = len(scene.footage.stops)
    assert stops == (3 if settings.get("layout") == "film" else 4)
    first, last = scene.picture(Moment(0, 0, 0.0)), scene.picture(Moment(stops - 1, stops - 1, 0.0))
    assert first.shape == (360, 480, 3)
    assert (first != last).any(axis=2).mean() > 0.01
    np.testing.assert_array_equal(scene.picture(Moment(0, 0, 0.0)), first)  # nothing is left of what was shown before


def test_pictures_differ_between_runs_and_repeat_for_one(run, grow):
    settings = VideoSettings(**SMALL)
    mine, again = (next(iter(frames(run, settings))) for _ in range(2))
    np.testing.assert_array_equal(mine, again)
    other = next(iter(frames(open_run(grow([0, 1], n=200)), settings)))
    assert (mine != other).any()


def test_many_classes_are_named_on_the_map_instead_of_in_the_legend(run, grow):
    assert compose(run, VideoSettings()).parts[0].tags is None
    path = grow([0, 2], n=400, classes=tuple(f"class number {k}" for k in range(40)))
    scene = compose(open_run(path), VideoSettings())
    assert scene.parts[0].tags is not None
    assert scene.picture(Moment(0, 1, 0.5)).shape == (720, 1280, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (641, 360)}, "even"),
        ({"size": (64, 64)}, "at least 480x360"),
        ({"layout": "tape"}, "choose one of curves, single, grid, film"),
        ({"layout": "grid", "layer": "input"}, "grid shows every layer"),
        ({"layout": "grid", "panel": "probe"}, "goes with layout='curves'"),
        ({"fps": 0}, "1 to 120"),
        ({"crf": 60}, "0 .perfect. to 51"),
        ({"seconds_per_epoch": 0}, "more than 0"),
        ({"out": "film.avi"}, r"ends in \.mp4, \.webm, \.gif"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        VideoSettings(**wrong)


def test_a_panel_that_the_run_lacks_is_named(grow):
    with pytest.raises(UserError, match=r"no 'probe' to show beside the map; there is projection"):
        compose(open_run(grow([0], n=40)), VideoSettings(panel="probe"))


def test_the_command_writes_into_the_run_and_leaves_no_half_file(run, tmp_path, capsys, monkeypatch):
    main(["export", "video", "--run-dir", str(run.path), "--size", "480x360", "--fps", "4", "--layout", "film"])
    written = run.path / "exports" / "film.mp4"
    assert capsys.readouterr().out == f"written: {written}\n"
    before = written.read_bytes()

    def broken(*_):
        yield np.zeros((360, 480, 3), np.uint8)
        raise RuntimeError("the disk of the drawing")

    monkeypatch.setattr("repviz.exports.video.frames", broken)
    with pytest.raises(RuntimeError, match="drawing"):
        write_video(run.path, VideoSettings(**SMALL, out=written))
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]
