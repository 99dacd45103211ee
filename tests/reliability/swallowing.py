"""Where errors are swallowed, as the source says it: no other process may be waited for there."""

import ast
import functools
import sys
from pathlib import Path

_CONTEXTS = {"suppress", "trying", "noting"}
"""Names of context managers that swallow."""


def swallowers() -> list[str]:
    """Functions of repviz, innermost first, that are now in a block of theirs that swallows errors."""
    found, frame = [], sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("repviz."):
            blocks = swallowing(frame.f_code.co_filename)
            if any(first <= frame.f_lineno <= last for first, last in blocks):
                found.append(f"{module}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return found


@functools.cache
def swallowing(source: str) -> tuple[tuple[int, int], ...]:
    """First and last lines of each block of a file after which the function may go on although it has failed."""
    nodes = list(ast.walk(ast.parse(Path(source).read_text("utf-8"))))
    blocks = [node for node in nodes if isinstance(node, ast.Try) and not all(map(_raises, node.handlers))]
    blocks += [node for node in nodes if isinstance(node, ast.With) and any(map(_swallows, node.items))]
    return tuple((block.body[0].lineno, block.body[-1].end_lineno) for block in blocks)


def _raises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def _swallows(item: ast.withitem) -> bool:
    called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) in _CONTEXTS
