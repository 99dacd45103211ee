"""See a classifier learn: representations, probes and landscapes, live and from checkpoints."""

from typing import TYPE_CHECKING, Any

from repviz.version import __version__

if TYPE_CHECKING:
    from repviz.run import Run, open_run

__all__ = ["Run", "__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """Load the facade on first use, so that ``import repviz`` and ``repviz --help`` stay instant."""
    if name in {"Run", "open_run"}:
        from repviz import run

        return getattr(run, name)
    raise AttributeError(f"module 'repviz' has no attribute {name!r}")
