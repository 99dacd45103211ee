"""Figures of a run, drawn by a program of their own: whoever trains meanwhile does not wait for them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repviz.atomic import private_folder
from repviz.exports.drawing_program import MANIFEST
from repviz.theme import Theme

_NICE = 10
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

Wanted = tuple[str, int | None]
"""A kind and its epoch; None = over all epochs, or of the run as a whole."""


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


@dataclass
class Results:
    """What a program has drawn.

    Attributes:
        drawn: the figures.
        problems: what went wrong with single kinds, the last of each.
        no_images: why there are no pictures at all; None where they could be made.
        ended: why the program ended before it was done; None where it was.
    """

    drawn: list[Drawn] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    no_images: str | None = None
    ended: str | None = None


class Drawing:
    """A program that draws and ends."""

    def __init__(self, run_dir: Path, wanted: Sequence[Wanted], *, theme: Theme, figures: bool, images: bool) -> None:
        """Start it.

        Args:
            run_dir: the run.
            wanted: what is drawn, in this order.
            theme: ``light`` or ``dark``.
            figures: whether they are wanted without pictures, where there is no browser.
            images: also as pictures, which needs a browser.
        """
        self.wanted = tuple(wanted)
        self._began = time.monotonic()
        self._out = private_folder("figures")
        self._words = self._out / "words.log"
        request = {
            "run_dir": str(Path(run_dir).resolve()), "out": str(self._out), "wanted": [list(each) for each in wanted],
            "theme": theme, "figures": figures, "images": images, "nice": _NICE, "sys_path": sys.path,
        }  # fmt: skip
        try:
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self._out, ignore_errors=True)
            raise
        with suppress(BrokenPipeError):  # it has ended, which its results tell
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def _start(self) -> subprocess.Popen:
        with self._words.open("wb") as words:
            return subprocess.Popen(
                [sys.executable, "-m", "repviz.exports.drawing_program"],
                stdin=subprocess.PIPE,  # stays open as long as someone waits for the figures
                stdout=words,
                stderr=words,
                # What a browser leaves behind when it is killed goes with the figures.
                env={**os.environ, **_ONE_THREAD, "TMPDIR": str(self._out)},
                process_group=0,  # Ctrl-C in the terminal reaches training alone
            )

    @property
    def is_running(self) -> bool:
        """Whether it is still at it."""
        return self._process.poll() is None

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self._began

    def results(self, seconds: float) -> Results:
        """What was drawn, after at most ``seconds`` of waiting: then the program is ended, and gives what it has."""
        ended = None
        try:
            code = self._process.wait(seconds)
            if code != 0:
                last = self._words.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
                ended = f"the program that draws ended with exit code {code}: {''.join(last) or 'no word'}"
        except subprocess.TimeoutExpired:
            self._kill()
            ended = f"drawing {len(self.wanted)} figures took longer than {self.seconds:.0f} s"
        found = Results(ended=ended)
        manifest = self._out / MANIFEST
        for line in manifest.read_text("utf-8").splitlines() if manifest.exists() else []:
            with suppress(json.JSONDecodeError):  # the last line of one that was ended
                self._take(json.loads(line), found)
        return found

    def _take(self, line: dict[str, Any], found: Results) -> None:
        if "no_images" in line:
            found.no_images = line["no_images"]
        elif "problem" in line:
            found.problems[line["kind"]] = line["problem"]
        else:
            image = self._out / f"{line['name']}.png"
            figure = self._out / f"{line['name']}.json"
            found.drawn.append(Drawn(line["kind"], line["epoch"], figure, image if image.exists() else None))

    def _kill(self) -> None:
        """It and its browser."""
        if self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and remove what it has drawn."""
        self._kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        shutil.rmtree(self._out, ignore_errors=True)
