"""``repviz scenes``: its options, read before anything heavy is imported."""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

from repviz.errors import UserError
from repviz.extras import install_command
from repviz.theme import LOOKS

SCENES = {
    "RepresentationMorph": "the points of the sample through epochs and layers",
    "LossLandscapeFlight": "the loss as a land, and the optimiser's way through it",
    "NeuronSurface": "what single units answer over the plane of the inputs",
    "DecisionBoundaryForms": "which class is decided for where, as it forms",
    "ProbeStaircase": "how well each layer can be read, step by step",
}
"""Scenes by the name of their class, and what each shows."""
QUALITIES = {"low": (854, 480, 15), "high": (1920, 1080, 30)}
"""Width, height and frames a second."""
ALL = "all"
_PACKAGES = "libcairo2-dev libpango1.0-dev pkg-config build-essential"


def add_scenes(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``repviz scenes``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "scenes:\n" + "".join(f"  {name:<22} {text}\n" for name, text in SCENES.items())
    parser.set_defaults(command=_scenes)
    parser.add_argument("run", nargs="?", type=Path, default=None, metavar="RUN", help="default: the newest run")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of the runs")
    parser.add_argument("--scene", choices=(*SCENES, ALL), default=ALL, metavar="NAME", help="default: all of them")
    parser.add_argument(
        "--quality", choices=tuple(QUALITIES), default="low", help="480p or 1080p (default: %(default)s)"
    )
    parser.add_argument("--theme", choices=tuple(LOOKS), default="dark", help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE.mp4", help="default: exports/scenes/NAME.mp4 in the run"
    )


def _scenes(options: argparse.Namespace) -> None:
    from repviz.store.listing import named_or_newest

    run_dir = named_or_newest(options.run, options.runs_dir)
    if options.out is not None and options.scene == ALL:
        raise UserError("--out names one file: say which scene goes there, as in --scene ProbeStaircase")
    if options.out is not None and options.out.suffix.lower() != ".mp4":
        raise UserError(f"{options.out}: a scene's file ends in .mp4")
    _require_manim()
    if options.scene != ALL:
        _render(run_dir, options.scene, options)
        return
    left_out = 0
    for scene in SCENES:
        try:
            _render(run_dir, scene, options)
        except UserError as error:
            left_out += 1
            sys.stderr.write(f"left out: {error}\n")
    if left_out == len(SCENES):
        raise UserError(f"none of the {len(SCENES)} scenes could be made of {run_dir}: see above what each needs")


def _render(run_dir: Path, scene: str, options: argparse.Namespace) -> None:
    from repviz.scenes.rendering import render

    before = time.monotonic()
    target = options.out or run_dir / "exports" / "scenes" / f"{scene}.mp4"
    render(run_dir, scene, target, quality=QUALITIES[options.quality], theme=options.theme)
    sys.stdout.write(f"written: {target} ({time.monotonic() - before:.0f} s)\n")
    sys.stdout.flush()


def _require_manim() -> None:
    """Raises: UserError: Manim is not installed."""
    if importlib.util.find_spec("manim") is None:
        raise UserError(
            f"scenes need Manim: {install_command('scenes')}, on Debian after 'apt-get install {_PACKAGES}'"
        )
