"""When, where and on which rank a diagnostic runs: ``ProjectionCallback`` and one more for every other diagnostic.

Each is built from its diagnostic's settings: ``callbacks.<Name>Callback`` for ``diagnostics``' class ``<Name>``.
``RunRecorder`` makes the run folder that they write to, ``VideoCallback`` a video when training has ended,
and ``LoggedFiguresCallback`` gives figures to the trainer's loggers.

Lightning takes seconds to be imported, and who looks beside training may do without: it comes with the first callback.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repviz.callbacks.diagnostic import DiagnosticCallback

_OTHERS = {
    "DiagnosticCallback": "diagnostic",
    "RunRecorder": "recorder",
    "VideoCallback": "video",
    "LoggedFiguresCallback": "logged_figures",
}
"""Callbacks besides the diagnostics', and their modules."""


@cache
def callback_classes() -> "dict[str, type[DiagnosticCallback]]":
    """The callback of every known diagnostic, by kind."""
    from repviz.callbacks.diagnostic import callback_for
    from repviz.diagnostics.registry import all_classes

    return {kind: callback_for(found, f"{found.__name__}Callback") for kind, found in all_classes().items()}


def __getattr__(name: str) -> Any:
    if name in _OTHERS:
        return getattr(import_module(f"repviz.callbacks.{_OTHERS[name]}"), name)
    for found in callback_classes().values():
        if found.__name__ == name:
            return found
    raise AttributeError(
        f"module 'repviz.callbacks' has no attribute {name!r}; the diagnostics' callbacks are "
        + ", ".join(sorted(found.__name__ for found in callback_classes().values()))
    )
