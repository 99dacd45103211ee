"""What the README shows first works with what ``pip install .`` brings; extras are for what asks for them."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

HIDE = """
import sys
from importlib.machinery import PathFinder
from importlib.metadata import MetadataPathFinder

HIDDEN = set({hidden!r})

class WithoutExtras:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(context):
        return (found for found in MetadataPathFinder.find_distributions(context)
                if not HIDDEN & {{found.name, found.name.replace("-", "_")}})

sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutExtras
"""
REFUSE = """
import socket
import sys

def refusing(real, host_of):
    def call(*arguments, **named):
        host = host_of(*arguments, **named)
        if host not in (None, "", "localhost", "::1") and not str(host).startswith("127."):
            with open({attempts!r}, "a") as file:
                print(host, sys.argv, file=file)
            raise OSError("no network here")
        return real(*arguments, **named)
    return call

def peer(it, address):
    return None if it.family == socket.AF_UNIX else address[0]

for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, refusing(getattr(socket.socket, name), peer))
socket.create_connection = refusing(socket.create_connection, lambda address, *_, **__: address[0])
socket.getaddrinfo = refusing(socket.getaddrinfo, lambda host, *_, **__: host)
"""
"""Every connection and look-up beyond this machine fails and is noted; what is not Python's own is not seen."""


def brought_by(name: str, extras: frozenset[str] = frozenset(), seen: set | None = None) -> set[str]:
    """Distributions that ``pip install name[extras]`` installs here, by their canonical names."""
    seen = set() if seen is None else seen
    if (name, extras) not in seen:
        seen.add((name, extras))
        try:
            requirements = map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:  # a part of another platform
            requirements = []
        for wanted in requirements:
            if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                brought_by(canonicalize_name(wanted.name), frozenset(wanted.extras), seen)
    return {found for found, _ in seen}


@pytest.fixture(scope="module")
def attempts(tmp_path_factory) -> Path:
    """Where it is noted that a process asked for another machine."""
    return tmp_path_factory.mktemp("attempts") / "attempts"


@pytest.fixture(scope="module")
def plain(tmp_path_factory, attempts) -> dict[str, str]:
    """An environment for processes in which nothing can be imported that repviz itself does not require, and which
    no other machine answers.
    """
    there = brought_by("repviz")
    hidden = sorted(
        module
        for module, owners in packages_distributions().items()
        if not any(canonicalize_name(owner) in there for owner in owners) and not module.startswith(("_", "tests"))
    )
    assert {"pytest", "torchdr"} <= set(hidden), "the extras are not installed: this test would show nothing"
    assert not {"torch", "lightning", "umap", "dash", "repviz"} & set(hidden)
    folder = tmp_path_factory.mktemp("plain")
    refuse = REFUSE.format(attempts=str(attempts))
    (folder / "sitecustomize.py").write_text(HIDE.format(hidden=hidden) + refuse)
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}


def repviz(environment: dict[str, str], *commands: list[str]) -> str:
    """What commands say that one process runs, one after the other: none may fail."""
    code = f"from repviz.cli import main\nfor command in {commands!r}:\n    main(command)\nprint('all were run')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all were run\n"), "one of them has ended the process"
    return done.stdout


def test_the_extras_are_hidden(plain):
    done = subprocess.run([sys.executable, "-c", "import torchdr"], env=plain, capture_output=True, text=True)
    assert "No module named 'torchdr'" in done.stderr


@pytest.mark.parametrize("call", ["create_connection(('192.0.2.1', 80))", "getaddrinfo('example.org', 80)"])
def test_asking_for_another_machine_fails_and_is_noted(plain, attempts, call):
    done = subprocess.run([sys.executable, "-c", f"import socket; socket.{call}"], env=plain, capture_output=True)
    assert b"no network here" in done.stderr
    assert ("192.0.2.1" if "192" in call else "example.org") in attempts.read_text()
    attempts.unlink()


def test_a_run_with_the_shipped_settings_its_checks_and_its_exports(plain, attempts, tmp_path: Path, packages):
    runs = str(tmp_path / "runs")
    fit = [
        "fit", "--config", "configs/concat.yaml", "--data.path", str(packages), "--runs-dir", runs,
        "--model.hidden_dims", "[16]", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu",
        "--sample.size", "200", "--landscape.resolution", "11",
    ]  # fmt: skip
    newest = ["--runs-dir", runs]
    looks = [[command, *newest] for command in ("verify", "runs", "diagnose")]
    exports = [["export", what, *newest] for what in ("report", "video", "npz")]
    said = repviz(plain, fit, ["data", "inspect", str(packages)], *looks, *exports)
    (run,) = (tmp_path / "runs").iterdir()
    assert said.count(run.name) > len(exports)
    assert {path.name for path in run.glob("exports/*")} >= {"report.html", "npz", "curves.mp4"}, said
    assert not attempts.exists(), attempts.read_text()


def test_the_dashboard(plain, attempts, tmp_path):
    code = f"""
from repviz.dashboards.app import create_app
client = create_app({str(tmp_path)!r}).server.test_client()
assert client.get("/", headers={{"Host": "127.0.0.1"}}).status_code == 200
assert client.get("/data/runs", headers={{"Host": "127.0.0.1"}}).json["runs"] == []
"""
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not attempts.exists(), attempts.read_text()
