"""A copy of the tree that is imported in place of the tree itself, by child processes too."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sysconfig
import tempfile
import tomllib
import venv
from pathlib import Path

_FINDER = """
import sys
from importlib.util import spec_from_file_location

PLACES = {places!r}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return spec_from_file_location(name, PLACES[name]) if name in PLACES else None


sys.meta_path.insert(0, Finder)
"""
"""Comes before the finder of an editable installation, which would lead to the tree itself."""


class Copy:
    """What is under version control, with changes that are not committed, and a Python to which that is repviz.

    The Python has the packages of the one that runs. Whatever ``PYTHONPATH`` a test gives to a child process: it is
    the Python that knows where repviz is.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        """Make it in ``folder``.

        Raises:
            RuntimeError: its Python would import another repviz.
        """
        self.root = folder / "tree"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=source, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (source / name).is_file():  # else it is removed, and that not committed
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source / name, self.root / name)
        self._python = self._make_python(folder / "venv")
        self._check()

    def write(self, file: str, text: str) -> None:
        """Replace a file, and forget what Python has compiled of it."""
        path = self.root / file
        path.write_text(text, "utf-8")
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)

    def run(self, *arguments: str, seconds: float) -> tuple[int | None, str]:
        """Run Python in the copy; gives its exit code, None if it took longer than that, and what it said."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "COLUMNS": "300"}
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            process = subprocess.Popen(
                [str(self._python), *arguments], cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            said.seek(0)
            return code, said.read()

    def _make_python(self, folder: Path) -> Path:
        venv.create(folder, symlinks=True)
        packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        layout = tomllib.loads((self.root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-dir"]
        places = {name: str(self.root / part / "__init__.py") for name, part in layout.items()}
        (packages / "copied_repviz.py").write_text(_FINDER.format(places=places), "utf-8")
        (packages / "copied_repviz.pth").write_text(f"{sysconfig.get_path('purelib')}\nimport copied_repviz\n", "utf-8")
        return folder / "bin" / "python"

    def _check(self) -> None:
        code = "import repviz, repviz.dashboards; print(repviz.__file__, repviz.dashboards.__file__, sep='\\n')"
        for child in (code, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"):
            _, said = self.run("-c", child, seconds=120)
            found = said.split()
            if len(found) != 2 or not all(Path(file).is_relative_to(self.root) for file in found):
                raise RuntimeError(f"not the copy in {self.root} is imported, but: {said}")
