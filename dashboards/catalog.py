"""What the browser may ask for: runs, kinds and epochs, looked up among what exists in the runs folder.

Nothing that comes from a browser is joined to a path before it was found in a listing, and a symbolic link that leads
out of the runs folder is treated as if it were not there.
"""

import os
from pathlib import Path
from typing import Any

from repviz.store import artifacts, run_folder
from repviz.store.artifacts import ARTIFACTS, artifact_path, error_path
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.metrics_table import METRICS_FILE, Row, read_metrics
from repviz.store.results_table import RESULTS_FILE, read_results
from repviz.store.run_folder import CONFIG_FILE, RUN_FILE
from repviz.store.sample_file import SAMPLE_FILE


class NotThereError(LookupError):
    """Something was asked for that is not in the runs folder."""


class Catalog:
    """The runs of one folder, read afresh at each call."""

    def __init__(self, runs_dir: Path) -> None:
        """Args: the folder; it need not exist yet."""
        self.runs_dir = Path(runs_dir)

    def names(self) -> list[str]:
        """Names of the runs, newest first (they are times)."""
        return sorted((name for name in self._folders() if self._is_run(name)), reverse=True)

    def find(self, name: str) -> "RunFiles":
        """The run called ``name``.

        Raises:
            NotThereError: there is none.
        """
        if name not in self._folders() or not self._is_run(name):
            raise NotThereError(f"there is no run {name!r} in {self.runs_dir}")
        return RunFiles(self.runs_dir / name, self.runs_dir)

    def _folders(self) -> list[str]:
        try:
            return os.listdir(self.runs_dir)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _is_run(self, name: str) -> bool:
        return is_within(self.runs_dir / name / RUN_FILE, self.runs_dir)


class RunFiles:
    """The files of one run; each is checked to lie in the runs folder before it is read."""

    def __init__(self, path: Path, runs_dir: Path) -> None:
        """Args: the run, and the folder that its files must lie in."""
        self.path = path
        self._root = runs_dir

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    def info(self) -> dict[str, Any]:
        """Content of ``run.json``, ``killed`` where the process is gone.

        Raises:
            ValueError: the file is damaged.
        """
        return run_folder.read_run_file(self._checked(self.path / RUN_FILE).parent)

    def metrics(self) -> list[Row]:
        """Rows of ``metrics.csv``; none before the first epoch.

        Raises:
            ValueError: a cell is not a number.
        """
        path = self.path / METRICS_FILE
        return read_metrics(self._checked(path).parent) if path.exists() else []

    def metrics_file(self) -> Path | None:
        """``metrics.csv``, None before the first epoch."""
        path = self.path / METRICS_FILE
        return self._checked(path) if path.exists() else None

    def config_file(self) -> Path | None:
        """``config.yaml``, None where there is none."""
        path = self.path / CONFIG_FILE
        return self._checked(path) if path.exists() else None

    def results(self) -> dict[str, dict[str, float]]:
        """Rows of ``results.csv`` by name; none before training has ended.

        Raises:
            ValueError: a cell is not a number; KeyError: a column is missing.
        """
        path = self.path / RESULTS_FILE
        return read_results(self._checked(path).parent) if path.exists() else {}

    def tail_of(self, name: str, n_bytes: int) -> str:
        """The last lines of a log file of the run, at most ``n_bytes``; nothing where there is no such file."""
        path = self.path / name
        if not path.exists():
            return ""
        with self._checked(path).open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - n_bytes)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
        return text.partition("\n")[2] if start else text

    def kinds(self) -> list[str]:
        """Kinds with an artifact or a recorded error."""
        if not is_within(self.path / ARTIFACTS, self._root):
            return []
        return [kind for kind in artifacts.kinds(self.path) if is_within(self.path / ARTIFACTS / kind, self._root)]

    def files(self, kind: str) -> dict[int, Path]:
        """Artifacts of ``kind`` by epoch, ascending; none for a kind that is not there.

        One of the whole run stands at the epoch that it goes up to, a damaged one at 0.
        """
        if kind not in self.kinds():
            return {}
        paths = {epoch: artifact_path(self.path, kind, epoch) for epoch in artifacts.epochs(self.path, kind)}
        if artifacts.has_run_artifact(self.path, kind):
            paths[self._run_artifact_epoch(kind)] = artifact_path(self.path, kind, artifacts.WHOLE_RUN)
        # Their folder lies where it must: only a link can still lead elsewhere.
        return {e: path for e, path in paths.items() if not path.is_symlink() or is_within(path, self._root)}

    def _run_artifact_epoch(self, kind: str) -> int:
        path = artifact_path(self.path, kind, artifacts.WHOLE_RUN)
        if path.is_symlink() and not is_within(path, self._root):
            return 0
        try:
            return artifacts.run_artifact_epoch(self.path, kind)
        except (FileNotFoundError, DamagedFileError, NewerFormatError, KeyError):
            return 0  # whoever draws it will say what is wrong with it

    def errors(self, kind: str) -> dict[int | None, dict[str, Any]]:
        """What went wrong for ``kind``, by epoch; last, at None, what went wrong with the whole run."""
        if kind not in self.kinds():
            return {}
        found: dict[int | None, Any] = artifacts.errors(self.path, kind) | {
            artifacts.WHOLE_RUN: artifacts.run_error(self.path, kind)
        }
        within = (e for e in found if found[e] and is_within(error_path(self.path, kind, e), self._root))
        return {epoch: found[epoch] for epoch in within}

    def artifact(self, kind: str, epoch: int) -> Path:
        """The file of ``kind`` at ``epoch``.

        Raises:
            NotThereError: there is none.
        """
        files = self.files(kind)
        if epoch not in files:
            raise NotThereError(f"run {self.name} has no {kind!r} at epoch {epoch}")
        return files[epoch]

    def sample(self) -> Path:
        """The file of the fixed sample.

        Raises:
            NotThereError: the run has none.
        """
        return self._checked(self.path / SAMPLE_FILE)

    def _checked(self, path: Path) -> Path:
        if not is_within(path, self._root):
            raise NotThereError(f"run {self.name} has no {path.relative_to(self.path)}")
        return path


def is_within(path: Path, folder: Path) -> bool:
    """Whether ``path`` exists and, all links followed, lies in ``folder``."""
    try:
        return path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, RuntimeError):  # missing, or a loop of links
        return False
