"""What has changed between two manifests of a run, so that a poll costs what is new and not what there is."""

from collections.abc import Sequence
from typing import Any

Manifest = dict[str, Any]


def since(before: Manifest, rows_before: Sequence[Any], after: Manifest, rows_after: Sequence[Any]) -> Manifest:
    """``after`` without what ``before`` says already.

    ``since`` names the manifest that it completes. A part that is not in it is as before. In ``artifacts`` each kind,
    and ``metrics``, have ``kept``, how many of their first epochs (with what is said of them) are as before, and only
    those that follow; a kind with nothing new is ``null``. Where a part is gone, all of ``after`` is returned.

    Args:
        before: what a page knows. after: what there is.
        rows_before: of the metrics table, as of ``before``. rows_after: as of ``after``.
    """
    if not before.keys() <= after.keys() or before["run"] != after["run"]:
        return after
    kinds = after["artifacts"]
    metrics = after["metrics"] | _tail(rows_before, rows_after, {"epochs": after["metrics"]["epochs"]})
    rest = {key: value for key, value in after.items() if key not in before or before[key] != value}
    return rest | {
        "since": before["signature"],
        "artifacts": {kind: _news(before["artifacts"].get(kind), kinds[kind]) for kind in kinds},
        "metrics": metrics,
    }


def _news(before: Manifest | None, after: Manifest) -> Manifest | None:
    if before == after:
        return None
    known = list(zip(before["epochs"], before["versions"], strict=True)) if before else []
    return _tail(known, list(zip(after["epochs"], after["versions"], strict=True)), after)


def _tail(before: Sequence[Any], after: Sequence[Any], lists: dict[str, list[Any]]) -> Manifest:
    """How many of the first of ``after`` are those of ``before``, and the ``lists`` from there on."""
    pairs = enumerate(zip(before, after, strict=False))
    kept = next((k for k, (old, new) in pairs if old != new), min(len(before), len(after)))
    return {"kept": kept} | {name: values[kept:] for name, values in lists.items()}
