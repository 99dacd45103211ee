"""Where artifacts of a run lie, writing them, listing them and reading them.

``artifacts/<kind>/epoch_000003.h5`` holds one diagnostic's dataset of one epoch, ``epoch_000003.error.json`` what
went wrong instead; ``run.h5`` and ``run.error.json`` are those of a diagnostic that looks at the whole run.

xarray and h5py are imported when the first file is read or written: `repviz runs` only lists.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repviz.atomic import make_folder, write_text
from repviz.version import __version__

if TYPE_CHECKING:
    import xarray as xr

ARTIFACTS = "artifacts"
WHOLE_RUN = None
"""In place of an epoch: the artifact of the whole run."""
_ARTIFACT = re.compile(r"epoch_(\d{6,})\.h5")
_ERROR = re.compile(r"epoch_(\d{6,})\.error\.json")
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_OF_RUN = {"run.h5": False, "run.error.json": True}
"""Files of the whole run, and which of them is an error."""


def artifact_path(run_dir: Path, kind: str, epoch: int | None) -> Path:
    """The file of ``kind`` at ``epoch``, or of ``WHOLE_RUN``.

    Raises:
        ValueError: ``kind`` is not a lower-case name, or the epoch is negative.
    """
    if not _KIND.fullmatch(kind) or (epoch is not WHOLE_RUN and epoch < 0):
        raise ValueError(f"no artifact can be called {kind!r} at epoch {epoch}")
    return Path(run_dir) / ARTIFACTS / kind / ("run.h5" if epoch is WHOLE_RUN else f"epoch_{epoch:06d}.h5")


def error_path(run_dir: Path, kind: str, epoch: int | None) -> Path:
    """The file that says why there is no artifact of ``kind`` at ``epoch``."""
    return artifact_path(run_dir, kind, epoch).with_suffix(".error.json")


def write_artifact(
    run_dir: Path,
    kind: str,
    epoch: int,
    dataset: xr.Dataset,
    *,
    step: int,
    version: int,
    previous_epoch: int | None = None,
) -> Path:
    """Write ``dataset`` as the artifact of ``kind`` at ``epoch``; an error recorded there before is removed."""
    return _write(run_dir, kind, epoch, dataset, epoch, step, version, previous_epoch)


def write_run_artifact(run_dir: Path, kind: str, dataset: xr.Dataset, *, epoch: int, step: int, version: int) -> Path:
    """Write ``dataset`` as the artifact of ``kind`` of the run as far as ``epoch``, in place of an earlier one."""
    return _write(run_dir, kind, WHOLE_RUN, dataset, epoch, step, version, None)


def _write(
    run_dir: Path,
    kind: str,
    place: int | None,
    dataset: xr.Dataset,
    epoch: int,
    step: int,
    version: int,
    previous_epoch: int | None,
) -> Path:
    from repviz.store.hdf5 import write_dataset

    path = artifact_path(run_dir, kind, place)
    make_folder(path.parent)
    attributes = {
        "kind": kind,
        "version": version,
        "epoch": epoch,
        "step": step,
        "previous_epoch": previous_epoch,
        "created": now(),
        "repviz_version": __version__,
    }
    write_dataset(path, dataset, attributes)
    error_path(run_dir, kind, place).unlink(missing_ok=True)
    return path


def write_error(run_dir: Path, kind: str, epoch: int | None, error: BaseException, details: str) -> Path:
    """Record that ``kind`` failed at ``epoch``, or of ``WHOLE_RUN``: type, message and traceback."""
    path = error_path(run_dir, kind, epoch)
    make_folder(path.parent)
    record = {
        "kind": kind,
        "epoch": epoch,
        "error": type(error).__name__,
        "message": str(error),
        "details": details,
        "created": now(),
        "repviz_version": __version__,
    }
    write_text(path, json.dumps(record, indent=2))
    return path


def read_artifact(run_dir: Path, kind: str, epoch: int | None, names: Iterable[str] | None = None) -> xr.Dataset:
    """The dataset of ``kind`` at ``epoch`` or of ``WHOLE_RUN``, whole or only ``names``; raises as ``read_dataset``."""
    from repviz.store.hdf5 import read_dataset

    return read_dataset(artifact_path(run_dir, kind, epoch), names)


@lru_cache(maxsize=20_000)
def place_of(name: str) -> tuple[int | None, bool] | None:
    """Epoch (``WHOLE_RUN`` for that of the run) of a file in a kind's folder, and whether it is an error; else None."""
    if name in _OF_RUN:
        return WHOLE_RUN, _OF_RUN[name]
    for pattern, is_error in ((_ARTIFACT, False), (_ERROR, True)):
        if match := pattern.fullmatch(name):
            return int(match[1]), is_error
    return None


def is_kind(name: str) -> bool:
    """Whether a kind can be called ``name``."""
    return _KIND.fullmatch(name) is not None


def kinds(run_dir: Path) -> list[str]:
    """Kinds that have an artifact or a recorded error, sorted."""
    folder = Path(run_dir) / ARTIFACTS
    if not folder.is_dir():
        return []
    return sorted(
        p.name
        for p in folder.iterdir()
        if _KIND.fullmatch(p.name) and (epochs(run_dir, p.name) or errors(run_dir, p.name) or of_run(run_dir, p.name))
    )


def of_run(run_dir: Path, kind: str) -> bool:
    """Whether ``kind`` has an artifact, or a recorded error, of the whole run."""
    return has_run_artifact(run_dir, kind) or error_path(run_dir, kind, WHOLE_RUN).is_file()


def has_run_artifact(run_dir: Path, kind: str) -> bool:
    """Whether ``kind`` has an artifact of the whole run."""
    return artifact_path(run_dir, kind, WHOLE_RUN).is_file()


def run_artifact_epoch(run_dir: Path, kind: str) -> int:
    """Up to which epoch the artifact of the whole run goes; see ``read_dataset`` for errors."""
    return int(read_artifact(run_dir, kind, WHOLE_RUN, names=()).attrs["epoch"])


def epochs(run_dir: Path, kind: str) -> list[int]:
    """Epochs for which ``kind`` has an artifact, ascending."""
    return _numbered(run_dir, kind, _ARTIFACT)


def errors(run_dir: Path, kind: str) -> dict[int, dict[str, Any]]:
    """What went wrong for ``kind``, by epoch: the content of its error files."""
    found = {epoch: error(run_dir, kind, epoch) for epoch in _numbered(run_dir, kind, _ERROR)}
    return {epoch: content for epoch, content in found.items() if content is not None}


def run_error(run_dir: Path, kind: str) -> dict[str, Any] | None:
    """What went wrong for ``kind`` with the whole run, None where nothing did."""
    return error(run_dir, kind, WHOLE_RUN)


def error(run_dir: Path, kind: str, epoch: int | None) -> dict[str, Any] | None:
    """What went wrong for ``kind`` at ``epoch`` or of ``WHOLE_RUN``, None where nothing did."""
    try:
        found = json.loads(error_path(run_dir, kind, epoch).read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}, not an object")
        return found
    except FileNotFoundError:  # there is none, or it was mended between listing and reading
        return None
    except (ValueError, RecursionError) as damage:
        return {"kind": kind, "epoch": epoch, "error": "DamagedFileError", "message": str(damage)}


def remove_after(run_dir: Path, epoch: int) -> int:
    """Remove artifacts and errors of epochs later than ``epoch``, and of the whole run: it goes on from here.

    Returns how many files went.
    """
    late = [
        path(run_dir, kind, number)
        for kind in kinds(run_dir)
        for pattern, path in ((_ARTIFACT, artifact_path), (_ERROR, error_path))
        for number in _numbered(run_dir, kind, pattern)
        if number > epoch
    ]
    whole = [path(run_dir, kind, WHOLE_RUN) for kind in kinds(run_dir) for path in (artifact_path, error_path)]
    late += [path for path in whole if path.is_file()]
    for path in late:
        path.unlink(missing_ok=True)
    return len(late)


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _numbered(run_dir: Path, kind: str, pattern: re.Pattern[str]) -> list[int]:
    folder = artifact_path(run_dir, kind, 0).parent
    try:
        names = [p.name for p in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))
