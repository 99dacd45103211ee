"""Finding diagnostics: the modules of this package, and what installed packages offer as ``repviz.diagnostics``."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

import repviz.diagnostics
from repviz.diagnostics.diagnostic import Diagnostic, RunDiagnostic

ENTRY_POINTS = "repviz.diagnostics"


def diagnostic_classes() -> dict[str, type[Diagnostic]]:
    """Every known diagnostic of single epochs by kind: the built-in ones in alphabetical order, then others'.

    Raises:
        TypeError: an entry point is not a diagnostic, or its kind is taken.
    """
    return {kind: found for kind, found in all_classes().items() if issubclass(found, Diagnostic)}


def run_diagnostic_classes() -> dict[str, type[RunDiagnostic]]:
    """Every known diagnostic of whole runs, in the same order; raises as ``diagnostic_classes``."""
    return {kind: found for kind, found in all_classes().items() if issubclass(found, RunDiagnostic)}


@cache
def all_classes() -> dict[str, type[Diagnostic] | type[RunDiagnostic]]:
    """Both sorts, in the same order; raises as ``diagnostic_classes``."""
    found: dict[str, type[Diagnostic] | type[RunDiagnostic]] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(repviz.diagnostics.__path__)):
        members = vars(importlib.import_module(f"repviz.diagnostics.{module}")).values()
        for member in members:
            if _is_diagnostic(member) and "kind" in vars(member):
                found[member.kind] = member
    for point in entry_points(group=ENTRY_POINTS):
        offered = point.load()
        if not _is_diagnostic(offered):
            raise TypeError(f"{point.value} (entry point {point.name!r} of {ENTRY_POINTS}) is not a Diagnostic")
        if found.setdefault(offered.kind, offered) is not offered:
            raise TypeError(f"{point.value} has the kind {offered.kind!r}, which {found[offered.kind]} has already")
    return found


def _is_diagnostic(member: object) -> bool:
    return isinstance(member, type) and issubclass(member, (Diagnostic, RunDiagnostic))
