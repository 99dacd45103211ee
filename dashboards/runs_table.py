"""The table of all runs: state, best metrics, what their configurations have not in common, size and time."""

import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import BoundedCache, FileCache, stamp_of
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.manifest import Manifests
from repviz.store.config_file import read_config
from repviz.store.listing import best_row
from repviz.store.run_folder import RUN_FILE

_BEST = ("val_accuracy", "val_f1_macro", "val_loss")
_MOST_DIFFERENCES = 12
"""Columns of the table; more would leave no room."""
ABSENT = "–"


class RunsTable:
    """Makes the table; configurations and sizes are read again only when a run has changed."""

    def __init__(self, catalog: Catalog, manifests: Manifests) -> None:
        """Args: where the runs are, and their metrics."""
        self._catalog = catalog
        self._manifests = manifests
        self._configs = FileCache(32_000_000)
        self._sizes = BoundedCache(1_000_000)

    def rows(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """``runs``: an entry per run, newest first, and ``differing``: keys of the configuration that are not the same.

        Args:
            names: of the runs; default: all.
        """
        found = self._catalog.runs() if names is None else [self._catalog.find(name) for name in names]
        configs = {run.name: self._config(run) for run in found}
        keys = differing({name: config for name, config in configs.items() if config is not None})
        return {
            "runs": [self._entry(run, configs[run.name], keys) for run in found],
            "differing": keys,
        }

    def _entry(self, run: RunFiles, config: Mapping[str, str] | None, keys: list[str]) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": run.name, "state": "damaged", "problem": None, "best": {}, "config": {}}
        if config is not None:
            entry["config"] = {key: config.get(key, ABSENT) for key in keys}
        return entry | self._manifests.kept_of_ended(run, "table", lambda: self._facts(run))

    def _facts(self, run: RunFiles) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        try:
            info, rows = run.info(), self._manifests.rows(run)
            entry["size"] = self._size(run)
        except (NotThereError, OSError, ValueError, KeyError) as error:
            return {"state": "damaged", "problem": str(error)}
        best = best_row(rows, "val_accuracy")
        entry |= {
            "state": info["state"],
            "epoch": rows[-1]["epoch"] if rows else 0,
            "max_epochs": info.get("max_epochs"),
            "best": {column: best[column] for column in _BEST if column in best},
            "best_epoch": best.get("epoch"),
            "started": info.get("started"),
            "seconds": _seconds(info),
        }
        return entry

    def _config(self, run: RunFiles) -> dict[str, str] | None:
        """The configuration with dotted keys; None where there is none that can be read."""
        try:
            path = run.config_file()
            read = self._configs.get
            return None if path is None else read(path, lambda p: flat(read_config(p)), lambda found: 200 * len(found))
        except (NotThereError, OSError, ValueError):
            return None

    def _size(self, run: RunFiles) -> int:
        return self._sizes.get(run.path, stamp_of(run.path / RUN_FILE), lambda: folder_bytes(run.path), lambda _: 100)


def flat(content: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` as ``{"a.b": "1"}``; lists and what is empty are values."""
    found: dict[str, str] = {}
    for key, value in content.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return found


def differing(configs: Mapping[str, Mapping[str, str]], most: int = _MOST_DIFFERENCES) -> list[str]:
    """Keys whose values are not the same in all ``configs``, those of most different values first."""
    keys = dict.fromkeys(key for config in configs.values() for key in config)
    values = {key: {config.get(key, ABSENT) for config in configs.values()} for key in keys}
    return sorted((key for key in keys if len(values[key]) > 1), key=lambda key: -len(values[key]))[:most]


def folder_bytes(folder: Path) -> int:
    """What the files below ``folder`` take; links are not followed, what goes meanwhile does not count."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return total


def _seconds(info: Mapping[str, Any]) -> float | None:
    """How long it has been trained, until its end or its last heartbeat."""
    until = info.get("ended") or info.get("heartbeat")
    try:
        first, last = (datetime.datetime.fromisoformat(str(text)) for text in (info.get("started"), until))
    except ValueError:
        return None
    return max(0.0, (last - first).total_seconds())
