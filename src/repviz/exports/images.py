"""Plotly figures as images, drawn by an installed Chrome or Chromium."""

import importlib
import logging
from collections.abc import AsyncIterator, Iterable

import plotly.graph_objects as go

from repviz.errors import UserError

SCALE = 2
"""Pixels of a PNG per pixel of the figure, in files that are kept."""
DEFAULT_SIZE = (1000, 620)
"""Of figures that do not set their own."""


async def rendered(wanted: Iterable[tuple[go.Figure, str]], scale: float = SCALE) -> AsyncIterator[bytes]:
    """Draw figures in one browser session.

    Args:
        wanted: figures, each with the format that it is drawn in, ``png`` or ``svg``.
        scale: pixels of a PNG per pixel of the figure.

    Yields:
        the image file's content, in the order of ``wanted``.

    Raises:
        UserError: there is no kaleido, or no browser.
    """
    try:
        kaleido = importlib.import_module("kaleido")
        from choreographer.errors import ChromeNotFoundError
    except ImportError as error:
        raise UserError("PNG and SVG need the package kaleido: pip install 'repviz[images]'") from error
    for name in ("kaleido", "choreographer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        async with kaleido.Kaleido(n=1, mathjax=False) as browser:
            for figure, ending in wanted:
                yield await browser.calc_fig(figure.to_dict(), _options(figure, ending, scale))
    except ChromeNotFoundError as error:
        raise UserError(
            "PNG and SVG are drawn by Chrome or Chromium, and none was found: install one, or name it in the "
            "environment variable BROWSER_PATH"
        ) from error


def _options(figure: go.Figure, ending: str, scale: float) -> dict[str, object]:
    width, height = figure.layout.width or DEFAULT_SIZE[0], figure.layout.height or DEFAULT_SIZE[1]
    return {"format": ending, "scale": scale if ending == "png" else 1, "width": width, "height": height}
