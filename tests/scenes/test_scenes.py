"""Each scene as a film: it moves, it is another one for another run, and what it shows is where the numbers say."""

import os
import subprocess
import sys

import numpy as np
import pytest

from repviz.cli import main
from repviz.errors import UserError
from repviz.scenes.command import SCENES
from repviz.scenes.rendering import render
from repviz.scenes.stage import MAIN
from repviz.store.artifacts import artifact_path
from tests.conftest import ROOT
from tests.exports.test_video import decoded
from tests.scenes.made_runs import make_run

SMALL = (426, 240, 3)
NEEDS = {
    "RepresentationMorph": "projection",
    "LossLandscapeFlight": "trajectory",
    "NeuronSurface": "surface",
    "DecisionBoundaryForms": "surface",
    "ProbeStaircase": "probe",
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two runs that differ in everything but their shape."""
    folder = tmp_path_factory.mktemp("runs")
    one = make_run(folder / "20260101_120000")
    return one, make_run(folder / "20260101_130000", n=90, shift=0.3)


@pytest.fixture(scope="session")
def films(runs, tmp_path_factory):
    """``films(scene, k)``: the pictures of a scene of the k-th run, rendered once."""
    folder, known = tmp_path_factory.mktemp("films"), {}

    def film(scene, k=0):
        if (scene, k) not in known:
            render(runs[k], scene, folder / f"{scene}{k}.mp4", quality=SMALL)
            known[scene, k] = decoded(folder / f"{scene}{k}.mp4")
        return known[scene, k]

    return film


def pixel(x, y):
    """Column and row of a place of the scene."""
    per_unit = SMALL[1] / 8
    return int(SMALL[0] / 2 + x * per_unit), int(SMALL[1] / 2 - y * per_unit)


def of_card(picture):
    """The card with the drawing, without title, run's name and epoch."""
    (left, low), (right, top) = pixel(MAIN[0], MAIN[1]), pixel(MAIN[0] + MAIN[2], MAIN[1] + MAIN[3])
    return picture[top:low, left:right].astype(int)


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_moves_and_is_another_one_for_another_run(films, scene):
    pictures, facts = films(scene)
    assert facts[:4] == ("h264", *SMALL[:2], pytest.approx(SMALL[2], rel=0.01))
    assert len(pictures) > 12
    first, *others = (of_card(picture) for picture in pictures)
    moved = [np.abs(picture - first).mean() for picture in others]
    assert max(moved) > 1
    other = films(scene, 1)[0]
    assert len(other) == len(pictures)
    differ = [np.abs(of_card(a) - of_card(b)).mean() for a, b in zip(pictures, other, strict=True)]
    assert np.mean(differ) > 0.5


def test_steps_are_as_high_as_the_probe_is_accurate(films):
    """Axis from 0 at -2.45 to its last tick at 2.25; accuracies 0.5, 0.4 and from 0.2 up to 0.6."""
    pictures, _ = films("ProbeStaircase")
    tops = []
    for picture in (pictures[0], pictures[-1]):
        columns = [pixel(-5.9 + 7.75 * (k + 0.85) / 3, 0)[0] for k in range(3)]
        ground = pixel(0, -2.45)[1]
        # the tread is the brightest row of its column above the line of chance, which lies at a third or lower
        rows = [picture[40 : ground - 45, column].min(axis=1).argmax() + 40 for column in columns]
        tops.append([ground - row for row in rows])
    before, after = np.array(tops, float)
    np.testing.assert_allclose(before[:2], after[:2], atol=2)
    assert before[1] / before[0] == pytest.approx(0.8, abs=0.04)
    assert after[2] / after[0] == pytest.approx(1.2, abs=0.04)


def test_the_light_theme_is_light(runs, tmp_path):
    render(runs[0], "ProbeStaircase", tmp_path / "light.mp4", quality=(426, 240, 1), theme="light")
    pictures, _ = decoded(tmp_path / "light.mp4")
    assert np.median(pictures[-1]) > 200


def test_one_epoch_is_shown_standing_still(tmp_path):
    run = make_run(tmp_path / "20260101_120000", epochs=(0,))
    for scene in ("RepresentationMorph", "DecisionBoundaryForms", "ProbeStaircase"):
        render(run, scene, tmp_path / "still.mp4", quality=(426, 240, 1))
        assert len(decoded(tmp_path / "still.mp4")[0]) > 1


@pytest.mark.parametrize(("scene", "kind"), NEEDS.items())
def test_what_is_missing_is_named_with_the_setting_that_makes_it(tmp_path, scene, kind):
    run = make_run(tmp_path / "20260101_120000", n=20, epochs=(0,))
    artifact_path(run, kind, None if kind == "trajectory" else 0).unlink()
    with pytest.raises(UserError, match=rf"^{scene} needs '{kind}'.*--{kind}.enabled=true.*--only {kind}'$"):
        render(run, scene, tmp_path / "film.mp4", quality=SMALL)
    assert not (tmp_path / "film.mp4").exists()


def test_the_command_writes_into_the_run_and_says_what_it_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("repviz.scenes.command.QUALITIES", {"low": (426, 240, 1)})
    run = make_run(tmp_path / "20260101_120000", epochs=(0,))
    for kind in ("projection", "surface"):
        artifact_path(run, kind, 0).unlink()
    artifact_path(run, "trajectory", None).unlink()
    main(["scenes", "--runs-dir", str(tmp_path)])
    said = capsys.readouterr()
    assert [film.name for film in (run / "exports" / "scenes").iterdir()] == ["ProbeStaircase.mp4"]
    assert said.err.count("left out: ") == 4
    with pytest.raises(SystemExit) as ended:
        main(["scenes", str(run), "--scene", "NeuronSurface"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_out_is_one_film(tmp_path, runs, capsys):
    for arguments, said in (
        (["--out", "film.mp4"], "--out names one file"),
        (["--scene", "ProbeStaircase", "--out", "film.gif"], "ends in .mp4"),
        (["--scene", "Staircase"], "invalid choice"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["scenes", str(runs[0]), *arguments])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err


def test_manims_own_command_renders_a_scene_of_the_named_run(runs, tmp_path):
    def manim(**more):
        file = os.path.join("scenes", "probe_staircase.py")
        command = ["-m", "manim", "render", "-r", "426,240", "--fps", "1", "--media_dir", str(tmp_path), file]
        environment = {k: v for k, v in os.environ.items() if k != "REPVIZ_RUN"} | more
        return subprocess.run(
            [sys.executable, *command, "ProbeStaircase"],
            capture_output=True,
            text=True,
            env=environment,
            cwd=ROOT,
            check=False,
        )

    done = manim(REPVIZ_RUN=str(runs[0]))
    assert done.returncode == 0, done.stderr
    film = next(path for path in tmp_path.rglob("ProbeStaircase.mp4") if "partial" not in str(path))
    assert len(decoded(film)[0]) > 3
    nothing = manim()
    assert nothing.returncode == 1
    assert "error: no run is named: set REPVIZ_RUN=" in nothing.stderr
    assert "Traceback" not in nothing.stderr + nothing.stdout


def test_scenes_import_neither_torch_nor_diagnostics():
    code = (
        "import sys; from repviz.scenes.command import SCENES; from repviz.scenes.rendering import scene_class\n"
        "for name in SCENES: scene_class(name)\nprint('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"torch", "lightning", "dash", "umap", "repviz.diagnostics"} == set()
