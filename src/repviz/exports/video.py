"""Videos of a run: its maps in motion, beside them the curves. Frames are a pure function of run and settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from repviz.errors import UserError
from repviz.theme import LOOKS, Theme

if TYPE_CHECKING:
    import numpy as np

    from repviz.run import Run

Layout = Literal["curves", "single", "grid", "film"]
Panel = Literal["none", "probe", "surface", "landscape"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
PANELS: tuple[str, ...] = get_args(Panel)
ENDINGS = (".mp4", ".webm", ".gif")
_LEAST = (480, 360)
_GREATEST = 7680


@dataclass(frozen=True)
class VideoSettings:
    """What a video shows, and how.

    Attributes:
        layout: ``curves`` one map with loss and accuracy beside it, ``single`` one map, ``grid`` the maps of all
            layers, ``film`` one epoch's points passing through the layers, input to logits.
        layer: the layer whose map is shown; default: the penultimate one. Not for ``grid`` and ``film``.
        method: ``umap`` or ``pca``; default: UMAP where there is one.
        panel: also shown with ``curves``: ``probe`` bars, decision ``surface`` or loss ``landscape``.
        theme: ``dark`` or ``light``.
        fps: frames a second.
        seconds_per_epoch: time from one recorded epoch (with ``film``: layer) to the next.
        size: width and height in pixels, both even.
        crf: quality of MP4 and WebM, 0 (perfect, large) to 51.
        out: file to write, ``.mp4``, ``.webm`` or ``.gif``; default: ``exports/<layout>.mp4`` in the run.

    Raises:
        UserError: a value cannot be.
    """

    layout: Layout = "curves"
    layer: str | None = None
    method: str | None = None
    panel: Panel = "none"
    theme: Theme = "dark"
    fps: int = 30
    seconds_per_epoch: float = 0.5
    size: tuple[int, int] = (1280, 720)
    crf: int = 20
    out: Path | None = None

    @property
    def rate(self) -> float:
        """Frames a second of the file: a GIF counts in hundredths of a second, and viewers slow down below two."""
        is_gif = self.out is not None and Path(self.out).suffix.lower() == ".gif"
        return 100 / max(2, round(100 / self.fps)) if is_gif else self.fps

    def __post_init__(self) -> None:
        width, height = self.size
        problems = {
            f"layout={self.layout!r}: choose one of {', '.join(LAYOUTS)}": self.layout not in LAYOUTS,
            f"panel={self.panel!r}: choose one of {', '.join(PANELS)}": self.panel not in PANELS,
            f"theme={self.theme!r}: choose {' or '.join(LOOKS)}": self.theme not in LOOKS,
            f"panel={self.panel!r} goes with layout='curves', not with {self.layout!r}": self.panel != "none"
            and self.layout != "curves",
            f"layer={self.layer!r} goes with curves and single: {self.layout} shows every layer": self.layer is not None
            and self.layout in ("grid", "film"),
            f"fps={self.fps}: give 1 to 120": not 1 <= self.fps <= 120,
            f"seconds_per_epoch={self.seconds_per_epoch}: give more than 0, at most 60": not 0
            < self.seconds_per_epoch
            <= 60,
            f"crf={self.crf}: give 0 (perfect) to 51": not 0 <= self.crf <= 51,
            f"size={width}x{height}: width and height must be even, the codecs want it so": width % 2 or height % 2,
            f"size={width}x{height}: at least {_LEAST[0]}x{_LEAST[1]}, at most {_GREATEST} wide or high": width
            < _LEAST[0]
            or height < _LEAST[1]
            or max(self.size) > _GREATEST,
        }
        if self.out is not None and Path(self.out).suffix.lower() not in ENDINGS:
            problems[f"{self.out}: a video's file ends in {', '.join(ENDINGS)}"] = True
        for message, wrong in problems.items():
            if wrong:
                raise UserError(message)


def frames(run: "Run", settings: VideoSettings) -> "Iterator[np.ndarray]":
    """``(height, width, 3)`` uint8 pictures, one after another; the same run and settings give the same pictures.

    Raises:
        UserError: the run has no maps, not that layer or not that method.
    """
    from repviz.exports.layouts import compose
    from repviz.exports.motion import moments

    scene = compose(run, settings)
    for moment in moments(len(scene.footage.stops), settings.rate, settings.seconds_per_epoch):
        yield scene.picture(moment)


def n_frames(run: "Run", settings: VideoSettings) -> int:
    """How many frames there will be."""
    from repviz.exports.footage import epochs_of, through_layers
    from repviz.exports.motion import n_moments

    stops = through_layers(run, settings.method).stops if settings.layout == "film" else epochs_of(run)
    return n_moments(len(stops), settings.rate, settings.seconds_per_epoch)


def write_video(run_dir: Path, settings: VideoSettings, *, progress: bool = False) -> Path:
    """Draw and encode a video of the run; the file appears under its name when it is whole.

    Args:
        run_dir: the run, finished or still running.
        settings: what to show.
        progress: show a bar in the terminal.

    Returns:
        the file.

    Raises:
        UserError: as of ``frames``; or the file cannot be written.
    """
    from rich.console import Console
    from rich.progress import track

    from repviz.exports.encoding import encode
    from repviz.run import open_run

    run = open_run(run_dir)
    target = Path(settings.out) if settings.out else run.path / "exports" / f"{settings.layout}.mp4"
    pictures = frames(run, settings)
    pictures = chain([next(pictures)], pictures)  # what cannot be drawn is said before a file is begun
    if progress:
        terminal = Console(stderr=True)
        pictures = track(pictures, "drawing", n_frames(run, settings), console=terminal, transient=True)
    encode(target, pictures, fps=settings.rate, size=settings.size, crf=settings.crf)
    return target
