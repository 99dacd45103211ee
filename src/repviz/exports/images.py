"""Plotly figures as images, drawn by an installed Chrome or Chromium."""

import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import plotly.graph_objects as go

from repviz.errors import UserError
from repviz.extras import install_command

SCALE = 2
"""Pixels of a PNG per pixel of the figure, in files that are kept."""
DEFAULT_SIZE = (1000, 620)
"""Of figures that do not set their own."""

Render = Callable[[go.Figure, str, float], Awaitable[bytes]]
"""``await render(figure, "png" or "svg", pixels of a PNG per pixel of the figure)``: the content of an image file."""


@asynccontextmanager
async def browser() -> AsyncIterator[Render]:
    """A browser that draws figures as long as the block runs.

    Raises:
        UserError: there is no kaleido, or no browser.
    """
    try:
        kaleido = importlib.import_module("kaleido")
        from choreographer.errors import ChromeNotFoundError
    except ImportError as error:
        raise UserError(f"PNG and SVG need the package kaleido: {install_command('images')}") from error
    for name in ("kaleido", "choreographer"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        session = kaleido.Kaleido(n=1, mathjax=False)
        await session.__aenter__()
    except ChromeNotFoundError as error:
        raise UserError(
            "PNG and SVG are drawn by Chrome or Chromium, and none was found: install one, or name it in the "
            "environment variable BROWSER_PATH"
        ) from error
    try:
        yield lambda figure, ending, scale: session.calc_fig(figure.to_dict(), _options(figure, ending, scale))
    finally:
        await session.__aexit__(None, None, None)


def _options(figure: go.Figure, ending: str, scale: float) -> dict[str, object]:
    width, height = figure.layout.width or DEFAULT_SIZE[0], figure.layout.height or DEFAULT_SIZE[1]
    return {"format": ending, "scale": scale if ending == "png" else 1, "width": width, "height": height}
