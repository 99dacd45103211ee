"""What the browser may ask for: runs, kinds and epochs, looked up among what exists in the runs folder.

Nothing that comes from a browser is joined to a path before it was found in a listing, and a symbolic link that leads
out of the runs folder is treated as if it were not there.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from repviz.dashboards.cache import Stamp
from repviz.dashboards.listed import Listed, Listing, version_of
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
        self._listed = Listed()

    def runs(self) -> list["RunFiles"]:
        """All runs, newest first (their names are times)."""
        return [self._files(name) for name in self.names()]

    def names(self) -> list[str]:
        """Names of the runs, newest first (they are times)."""
        return sorted(
            (name for name in self._folders() if self._is_plain_run(name) or self._is_run(name)), reverse=True
        )

    def find(self, name: str) -> "RunFiles":
        """The run called ``name``.

        Raises:
            NotThereError: there is none.
        """
        if name not in self._folders() or not self._is_run(name):
            raise NotThereError(f"there is no run {name!r} in {self.runs_dir}")
        return self._files(name)

    def _files(self, name: str) -> "RunFiles":
        return RunFiles(self.runs_dir / name, self.runs_dir, self._listed)

    def _folders(self) -> list[str]:
        try:
            return os.listdir(self.runs_dir)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _is_plain_run(self, name: str) -> bool:
        """Whether it is a run without any link, which lies where it must; cheap, for there may be thousands."""
        folder = os.path.join(self.runs_dir, name)
        try:
            return stat.S_ISDIR(os.lstat(folder).st_mode) and stat.S_ISREG(os.lstat(f"{folder}/{RUN_FILE}").st_mode)
        except OSError:
            return False

    def _is_run(self, name: str) -> bool:
        return is_within(self.runs_dir / name / RUN_FILE, self.runs_dir)


class RunFiles:
    """The files of one run; each is checked to lie in the runs folder before it is read."""

    def __init__(self, path: Path, runs_dir: Path, listed: Listed) -> None:
        """Args: the run, the folder that its files must lie in, and what its folders held when last looked at."""
        self.path = path
        self._root = runs_dir
        self._listed = listed
        self._taken: dict[str, Listing] | None = None

    def at_one_moment(self) -> "RunFiles":
        """The same run, each of whose folders is looked at once: all that is said of a kind fits together."""
        run = RunFiles(self.path, self._root, self._listed)
        run._taken = {}
        return run

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
        return [kind for kind in self._folders() if self.listing(kind).n_files]

    def listing(self, kind: str) -> Listing:
        """The files of ``kind`` as they are named; none for a kind that is not there."""
        if self._taken is None:
            return self._listing(kind)
        if kind not in self._taken:
            self._taken[kind] = self._listing(kind)
        return self._taken[kind]

    def _listing(self, kind: str) -> Listing:
        within = kind in self._folders() and is_within(self.path / ARTIFACTS / kind, self._root)
        return self._listed.folder(self.path / ARTIFACTS / kind) if within else Listing({}, {}, frozenset())

    def _folders(self) -> list[str]:
        if not is_within(self.path / ARTIFACTS, self._root):
            return []
        try:
            return sorted(filter(artifacts.is_kind, os.listdir(self.path / ARTIFACTS)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def files(self, kind: str) -> dict[int, Path]:
        """Artifacts of ``kind`` by epoch, ascending; none for a kind that is not there.

        One of the whole run stands at the epoch that it goes up to, a damaged one at 0.
        """
        return {epoch: path for epoch, path, _ in reversed([*self.stamped(kind)])}

    def stamped(self, kind: str, known: Mapping[int, Stamp] | None = None) -> Iterator[tuple[int, Path, Stamp]]:
        """``files``, newest first, each with what tells one version of it from the next; without those ``known``.

        Of thousands, those that nobody takes cost next to nothing.
        """
        listing, known = self.listing(kind), known or {}
        for epoch, stamp in reversed(listing.artifacts.items()):
            if epoch in known and known[epoch] == stamp:
                continue
            path = artifact_path(self.path, kind, epoch)
            # Their folder lies where it must: only a link can still lead elsewhere.
            if path.name not in listing.links or is_within(path, self._root):
                yield self._run_artifact_epoch(kind, stamp) if epoch is artifacts.WHOLE_RUN else epoch, path, stamp

    def told(self, kind: str) -> dict[str, list[Any]]:
        """``epochs`` of the artifacts of ``kind``, and their ``versions``: of thousands, not one is touched for it."""
        listing = self.listing(kind)
        if not listing.links and artifacts.WHOLE_RUN not in listing.artifacts:
            return listing.told
        found = {epoch: version_of(stamp) for epoch, _, stamp in reversed([*self.stamped(kind)])}
        return {"epochs": list(found), "versions": list(found.values())}

    def _run_artifact_epoch(self, kind: str, stamp: Stamp) -> int:
        def read() -> int:
            try:
                return artifacts.run_artifact_epoch(self.path, kind)
            except (FileNotFoundError, DamagedFileError, NewerFormatError, KeyError):
                return 0  # whoever draws it will say what is wrong with it

        return self._listed.content(artifact_path(self.path, kind, artifacts.WHOLE_RUN), stamp, read)

    def errors(self, kind: str) -> dict[int | None, dict[str, Any]]:
        """What went wrong for ``kind``, by epoch; last, at None, what went wrong with the whole run."""
        listing, found = self.listing(kind), {}
        for epoch, stamp in listing.errors.items():
            path = error_path(self.path, kind, epoch)
            if path.name not in listing.links or is_within(path, self._root):
                found[epoch] = self._listed.content(path, stamp, partial(artifacts.error, self.path, kind, epoch))
        return {epoch: error for epoch, error in found.items() if error is not None}

    def artifact(self, kind: str, epoch: int) -> Path:
        """The file of ``kind`` at ``epoch``.

        Raises:
            NotThereError: there is none.
        """
        listing = self.listing(kind)
        path = artifact_path(self.path, kind, epoch) if epoch in listing.artifacts else None
        if path is None or path.name in listing.links or artifacts.WHOLE_RUN in listing.artifacts:
            path = self.files(kind).get(epoch)
        if path is None:
            raise NotThereError(f"run {self.name} has no {kind!r} at epoch {epoch}")
        return path

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
