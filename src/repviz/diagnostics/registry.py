"""Finding diagnostics: the modules of this package, and what installed packages offer as ``repviz.diagnostics``."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

import repviz.diagnostics
from repviz.diagnostics.diagnostic import Diagnostic

ENTRY_POINTS = "repviz.diagnostics"


@cache
def diagnostic_classes() -> dict[str, type[Diagnostic]]:
    """Every known diagnostic by kind: the built-in ones in alphabetical order, then those of other packages.

    Raises:
        TypeError: an entry point is not a ``Diagnostic``, or its kind is taken.
    """
    found: dict[str, type[Diagnostic]] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(repviz.diagnostics.__path__)):
        members = vars(importlib.import_module(f"repviz.diagnostics.{module}")).values()
        for member in members:
            if isinstance(member, type) and issubclass(member, Diagnostic) and "kind" in vars(member):
                found[member.kind] = member
    for point in entry_points(group=ENTRY_POINTS):
        offered = point.load()
        if not (isinstance(offered, type) and issubclass(offered, Diagnostic)):
            raise TypeError(f"{point.value} (entry point {point.name!r} of {ENTRY_POINTS}) is not a Diagnostic")
        if found.setdefault(offered.kind, offered) is not offered:
            raise TypeError(f"{point.value} has the kind {offered.kind!r}, which {found[offered.kind]} has already")
    return found
