"""Every figure of a run as a file of its own: HTML that opens anywhere, and PNG and SVG for papers and slides."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from repviz.atomic import replacing, write_text
from repviz.errors import UserError
from repviz.exports.pictures import Picture, pictures
from repviz.run import open_run

SCALE = 2
"""Pixels of a PNG per pixel of the figure."""
DEFAULT_SIZE = (1000, 620)
"""Of figures that do not set their own."""
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
    try:
        import kaleido
        from choreographer.errors import ChromeNotFoundError
    except ImportError as error:
        raise UserError(
            f"HTML is in {out}, but PNG and SVG need the package kaleido: pip install 'repviz[images]', or ask for "
            "HTML alone with --html-only"
        ) from error
    logging.getLogger("kaleido").setLevel(logging.ERROR)
    logging.getLogger("choreographer").setLevel(logging.ERROR)

    async def session() -> list[Path]:
        written = []
        async with kaleido.Kaleido(n=1, mathjax=False) as browser:
            for picture in drawn:
                for ending in ("png", "svg"):
                    content = await browser.calc_fig(picture.figure.to_dict(), _options(picture, ending))
                    path = out / f"{picture.name}.{ending}"
                    with replacing(path) as temporary:
                        temporary.write_bytes(content)
                    written.append(path)
        return written

    try:
        return asyncio.run(session())
    except ChromeNotFoundError as error:
        raise UserError(
            f"HTML is in {out}, but PNG and SVG are drawn by Chrome or Chromium, and none was found: install one, name "
            "it in the environment variable BROWSER_PATH, or ask for HTML alone with --html-only"
        ) from error


def _options(picture: Picture, ending: str) -> dict[str, object]:
    layout = picture.figure.layout
    size = {"width": layout.width or DEFAULT_SIZE[0], "height": layout.height or DEFAULT_SIZE[1]}
    return {"format": ending, "scale": SCALE if ending == "png" else 1} | size
