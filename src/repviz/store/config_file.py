"""``config.yaml`` of a run as plain values; a run may come from anyone."""

from pathlib import Path
from typing import Any

import yaml

from repviz.store.errors import DamagedFileError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_VALUES, _DEEPEST = 100_000, 50


def read_config(path: Path) -> dict[str, Any]:
    """The settings, blocks in blocks.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: it is not YAML of plain values, not a mapping, or of more values than any configuration has
            (aliases of aliases make billions of a few lines).
    """
    try:
        content = yaml.load(path.read_text("utf-8"), _LOADER)
        if not isinstance(content, dict):
            raise ValueError("it does not hold settings")
        if _count(content, {}, _DEEPEST) > _MOST_VALUES:
            raise ValueError(f"it holds more than {_MOST_VALUES:,} values")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise DamagedFileError(f"{path} is not a configuration: {' '.join(str(error).split())[:300]}") from error
    return content


def _count(node: Any, known: dict[int, int], deepest: int) -> int:
    """How many values there are below a node, each alias counted as what it stands for."""
    if not isinstance(node, dict | list):
        return 1
    if deepest == 0:
        raise ValueError(f"its blocks are nested more than {_DEEPEST} deep")
    if id(node) not in known:
        below = node.values() if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_count(child, known, deepest - 1) for child in below)
    return known[id(node)]
