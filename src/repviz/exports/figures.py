"""Every figure of a run as a file of its own: HTML that opens anywhere, and PNG and SVG for papers and slides."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from repviz.atomic import write_bytes, write_text
from repviz.errors import UserError
from repviz.exports.images import SCALE, browser
from repviz.exports.pictures import Picture, pictures
from repviz.run import open_run

IMAGES = ("png", "svg")
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["sendChartToCloud"]}
"""What one has exported stays with one: Plotly's button would upload the chart to its cloud."""


def write_figures(
    run_dir: Path,
    out: Path | None = None,
    *,
    kinds: Sequence[str] | None = None,
    epoch: str | int = "best",
    theme: str = "light",
    images: bool = True,
) -> list[Path]:
    """Write a run's figures.

    Args:
        run_dir: the run.
        out: folder; default ``exports/figures`` in the run.
        kinds: which; None = the curves and every kind that has a figure.
        epoch: ``best``, ``last`` or a number; the nearest one that was measured.
        theme: ``light`` or ``dark``.
        images: also PNG and SVG.

    Returns:
        the files, HTML first.

    Raises:
        UserError: a kind is not there; or there is no kaleido or no browser for the images, when the HTML is written
            all the same.
    """
    run = open_run(run_dir)
    out = run.path / "exports" / "figures" if out is None else Path(out)
    drawn = list(pictures(run, kinds, epoch, theme))
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = [_write_html(picture, out) for picture in drawn]
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror or error}") from error
    return written + (_write_images(drawn, out) if images else [])


def _write_html(picture: Picture, out: Path) -> Path:
    path = out / f"{picture.name}.html"
    write_text(path, picture.figure.to_html(include_plotlyjs=True, config=_CONFIG))
    return path


def _write_images(drawn: Sequence[Picture], out: Path) -> list[Path]:
    """PNG and SVG of all, in one browser session."""
    wanted = {out / f"{picture.name}.{ending}": (picture.figure, ending) for picture in drawn for ending in IMAGES}

    async def session() -> None:
        async with browser() as render:
            for path, (figure, ending) in wanted.items():
                write_bytes(path, await render(figure, ending, SCALE))

    try:
        asyncio.run(session())
    except UserError as error:
        raise UserError(f"HTML is in {out}, but {error}; or ask for HTML alone with --html-only") from error
    return list(wanted)
