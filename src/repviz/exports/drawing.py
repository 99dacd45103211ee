"""Figures of a run, drawn by a program of their own: whoever trains meanwhile does not wait for them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repviz.exports.drawing_program import MANIFEST
from repviz.theme import Theme

_NICE = 10
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

Wanted = tuple[str, int | None]
"""A kind and its epoch; None = over all epochs, or of the run as a whole."""


class DrawingError(Exception):
    """The program ended without having drawn."""


@dataclass(frozen=True)
class Drawn:
    """A figure that is there, while its ``Drawing`` is.

    Attributes:
        kind: the diagnostic.
        epoch: its epoch; None for all epochs in one.
        figure: file of the Plotly figure as JSON.
        image: file of the picture (PNG); None where it could not be made or was not asked for.
    """

    kind: str
    epoch: int | None
    figure: Path
    image: Path | None


class Drawing:
    """A program that draws and ends."""

    def __init__(self, run_dir: Path, wanted: Sequence[Wanted], *, theme: Theme, images: bool) -> None:
        """Start it.

        Args:
            run_dir: the run.
            wanted: what is drawn.
            theme: ``light`` or ``dark``.
            images: also as pictures, which needs a browser.
        """
        self.wanted = tuple(wanted)
        self._out = Path(tempfile.mkdtemp(prefix="repviz-figures-"))
        self._words = self._out / "words.log"
        request = {
            "run_dir": str(Path(run_dir).resolve()), "out": str(self._out), "wanted": [list(each) for each in wanted],
            "theme": theme, "images": images, "nice": _NICE, "sys_path": sys.path,
        }  # fmt: skip
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "repviz.exports.drawing_program"],
                stdin=subprocess.PIPE,  # stays open as long as someone waits for the figures
                stdout=words,
                stderr=words,
                env={**os.environ, **_ONE_THREAD},
                process_group=0,  # Ctrl-C in the terminal reaches training alone
            )
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    @property
    def is_running(self) -> bool:
        """Whether it is still at it."""
        return self._process.poll() is None

    def results(self, seconds: float) -> tuple[list[Drawn], dict[str, str]]:
        """What was drawn, and what went wrong by kind (``images``: all pictures).

        Args:
            seconds: how long to wait for it.

        Raises:
            DrawingError: it ended without having drawn, or is not done by then.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DrawingError(f"drawing took longer than {seconds:g} s") from None
        manifest = self._out / MANIFEST
        if code != 0 or not manifest.exists():
            last = self._words.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            raise DrawingError(f"the program that draws ended with exit code {code}: {''.join(last) or 'no word'}")
        found = json.loads(manifest.read_text("utf-8"))
        return [self._drawn(*each) for each in found["names"]], found["problems"]

    def _drawn(self, kind: str, epoch: int | None, name: str) -> Drawn:
        image = self._out / f"{name}.png"
        return Drawn(kind, epoch, self._out / f"{name}.json", image if image.exists() else None)

    def close(self) -> None:
        """End it, and remove what it has drawn."""
        if self.is_running:
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        shutil.rmtree(self._out, ignore_errors=True)
