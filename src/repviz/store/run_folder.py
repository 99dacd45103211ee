"""Claiming a run folder, and ``run.json``: what the run is and how it is doing."""

import datetime
import json
import os
import socket
from pathlib import Path
from typing import Any

from repviz.atomic import flush, make_folder, write_text
from repviz.errors import UserError
from repviz.store.artifacts import now
from repviz.store.errors import DamagedFileError

RUN_FILE = "run.json"
CONFIG_FILE = "config.yaml"
CHECKPOINTS = "checkpoints"
_TYPES = {"state": str, "pid": int, "host": str, "heartbeat": str, "max_epochs": int, "monitor": str} | {
    **dict.fromkeys(("classes", "layers", "kinds"), list),
    **dict.fromkeys(("data", "progress", "sample", "versions", "every_n_epochs", "not_applicable"), dict),
}
"""What readers of ``run.json`` rely on, where it is there."""
HEARTBEAT_SECONDS = 5
"""How often a live run renews its heartbeat."""
_SILENT_SECONDS = 60
"""A run on another machine counts as killed when its heartbeat is older than this."""


def claim(runs_dir: Path, at: datetime.datetime | None = None) -> Path:
    """Make a new folder ``<YYYYmmdd_HHMMSS>`` in ``runs_dir`` that no other process has got.

    ``mkdir`` is atomic: of two starts in one second, the second gets ``<...>_2``.

    Raises:
        UserError: the folder cannot be made.
    """
    name = f"{at or datetime.datetime.now():%Y%m%d_%H%M%S}"
    try:
        make_folder(runs_dir)
        number = 1
        while True:
            folder = Path(runs_dir) / (name if number == 1 else f"{name}_{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
            try:
                flush(folder.parent)
            except OSError:
                folder.rmdir()
                raise
            return folder
    except OSError as error:
        raise UserError(
            f"cannot make a run folder in {runs_dir}: {error.strerror}. Name a folder you may write to with --runs-dir."
        ) from error


def write_run_file(run_dir: Path, content: dict[str, Any]) -> None:
    """Replace ``run.json``."""
    write_text(Path(run_dir) / RUN_FILE, json.dumps(content, indent=2, ensure_ascii=False))


def read_run_file(run_dir: Path) -> dict[str, Any]:
    """Content of ``run.json``; its ``state`` is ``killed`` where a running run's process is gone.

    Raises:
        FileNotFoundError: ``run_dir`` is not a run.
        DamagedFileError: the file is damaged.
    """
    path = Path(run_dir) / RUN_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict) or "state" not in content:
            raise ValueError("there is no state in it")
        for name, kind in _TYPES.items():
            if not isinstance(content.get(name), kind | None):
                raise ValueError(f"its {name} is a {type(content[name]).__name__}")
        if content["state"] == "running" and not is_alive(content):
            content["state"] = "killed"
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedFileError(f"{path} does not describe a run: {error}") from error
    return content


def is_alive(content: dict[str, Any]) -> bool:
    """Whether the process that ``run.json`` names still runs.

    On its own machine the process is looked up by number and start time (numbers are reused); elsewhere the age of
    the heartbeat decides.
    """
    if content.get("host") == socket.gethostname():
        started = process_start(content["pid"])
        return started is not None and started == content.get("pid_start")
    beat = datetime.datetime.fromisoformat(content["heartbeat"])
    return (datetime.datetime.now(datetime.UTC) - beat).total_seconds() < _SILENT_SECONDS


def process_start(pid: int) -> str | None:
    """When process ``pid`` started, as text that only serves to be compared; None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"


def identity() -> dict[str, Any]:
    """What tells this process from every other: pid, its start time, host, and a first heartbeat."""
    return {
        "pid": os.getpid(),
        "pid_start": process_start(os.getpid()),
        "host": socket.gethostname(),
        "heartbeat": now(),
    }


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is a run."""
    return (Path(folder) / RUN_FILE).is_file()


def run_of_checkpoint(checkpoint: Path) -> Path | None:
    """The run folder whose ``checkpoints/`` holds ``checkpoint``, None where it lies elsewhere."""
    folder = Path(checkpoint).absolute().parent
    return folder.parent if folder.name == CHECKPOINTS and is_run(folder.parent) else None
