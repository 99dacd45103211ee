"""What all scenes share: the run that they read, the page they are drawn on, titles, cards and the epoch."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from manim import Mobject, Scene, config

from repviz.errors import UserError
from repviz.run import Run, open_run
from repviz.scenes.lettering import PIXEL, changing, words
from repviz.scenes.painting import Box, Painting, PaintingCamera, ink, rectangle
from repviz.scenes.travel import Travel
from repviz.store.artifacts import has_run_artifact
from repviz.theme import LOOKS, Look, Theme

RUN_VARIABLE = "REPVIZ_RUN"
"""Names the run where Manim's own command renders a scene."""
LEFT, RIGHT = -6.75, 6.75
MAIN: Box = (LEFT, -3.3, 8.9, 6.0)
"""The card of the picture."""
SIDE: Box = (2.4, -3.3, RIGHT - 2.4, 6.0)
"""The column beside it."""
PAD = 0.22
_TITLE_BASE, _SUBTITLE_BASE, _NOTE_BASE = 3.42, 3.02, -3.7


class RunScene(Scene):
    """A scene of one run.

    Attributes:
        run_dir: its folder; where none is given, the one that the environment variable ``REPVIZ_RUN`` names.
        theme: ``dark`` or ``light``.
    """

    run_dir: ClassVar[Path | None] = None
    theme: ClassVar[Theme] = "dark"

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"camera_class": PaintingCamera} | settings)
        # Manim keeps parts of films by a digest of its mobjects, which does not see what a painting reads
        config.disable_caching = True

    @property
    def look(self) -> Look:
        """The theme's colours."""
        return LOOKS[self.theme]

    def construct(self) -> None:
        """Play the run.

        Raises:
            UserError: the run lacks what the scene needs; under Manim's own command, which prints a traceback of
                whatever is raised, this ends the program with one line.
        """
        self.camera.background_color = self.look.page
        self.camera.reset()
        try:
            self.show(open_run(self._folder()))
        except UserError as error:
            if self.run_dir is None:
                sys.exit(f"error: {error}")
            raise

    def show(self, run: Run) -> None:
        """Play this scene of ``run``."""
        raise NotImplementedError

    def _folder(self) -> Path:
        if self.run_dir is not None:
            return self.run_dir
        if named := os.environ.get(RUN_VARIABLE):
            return Path(named)
        raise UserError(f"no run is named: set {RUN_VARIABLE}=runs/<time>, or use 'repviz scenes runs/<time>'")

    def head(self, title: str, subtitle: str) -> list[Mobject]:
        """Title and what is seen, above everything."""
        line = words(title, 26, self.look.text, (LEFT, _TITLE_BASE), bold=True, room=9.5)
        return [line, words(subtitle, 17, self.look.muted, (LEFT, _SUBTITLE_BASE), room=11.0)]

    def note(self, text: str) -> Mobject:
        """How far to trust it, below everything."""
        return words(text, 16, self.look.muted, (LEFT, _NOTE_BASE), room=RIGHT - LEFT)

    def card(self, box: Box) -> Painting:
        """A rounded surface, as the dashboard's."""

        def paint(context: object) -> None:
            rectangle(context, box, 0.12)
            ink(context, self.look.surface)
            context.fill_preserve()
            ink(context, self.look.grid)
            context.set_line_width(1.2 * PIXEL)
            context.stroke()

        still = Painting(paint)
        still.clear_updaters()
        return still

    def epoch(self, epochs: Sequence[int], travel: Travel) -> Mobject:
        """The number of the nearer epoch, in the upper right corner."""
        texts = [f"epoch {epoch}" for epoch in epochs]
        at = (RIGHT, _SUBTITLE_BASE + 0.06)
        return changing(texts, 30, self.look.text, at, travel.nearest, bold=True, anchor="right")

    def hold(self, seconds: float) -> None:
        """Stand still, one frame at least."""
        self.wait(max(seconds, 1 / config.frame_rate))


def needed(run: Run, scene: str, kind: str, *, whole_run: bool = False) -> list[int]:
    """Epochs at which ``kind`` was measured; none of one that is of the whole run.

    Raises:
        UserError: the run lacks it, with the setting that makes it.
    """
    epochs = run.epochs(kind)
    if not (has_run_artifact(run.path, kind) if whole_run else epochs):
        raise UserError(
            f"{scene} needs {kind!r}, which run {run.name} has not: train with --{kind}.enabled=true, or make it from "
            f"the run's checkpoints with 'repviz diagnose --run-dir {run.path} --only {kind}'"
        )
    return epochs
