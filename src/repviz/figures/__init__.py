"""Pictures: pure functions from a dataset and a ``View`` to a plotly figure. No torch, no files, no server."""

from repviz.figures.view import View

__all__ = ["View"]
