"""Wheel and source archive hold what they should, and nothing else."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.test_without_extras import brought_by

NOT_SHIPPED = "frontend"
"""What the bundled script of the maps is made from: in the source archive alone."""
SOURCES = {
    "repviz": ROOT / "src" / "repviz",
    "repviz/dashboards": ROOT / "dashboards",
    "repviz/scenes": ROOT / "scenes",
}
BESIDE = ("README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt", "MANIFEST.in")
FOLDERS = ("src", "dashboards", "scenes", "configs", "data", "docs", "tests")
LEFT_OVER = (".env", "notes.txt", "cached_dataset.npz", "scratch.py")
MADE = {"PKG-INFO", "setup.cfg"}
"""What setuptools adds to a source archive, besides ``*.egg-info``."""
BUILD = "from setuptools import build_meta as b; b.build_wheel('out'); b.build_sdist('out')"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Where both are built, from a copy of the tree with leftovers in it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in (*BESIDE, "pyproject.toml"):
        shutil.copy(ROOT / name, tree)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("*.egg-info"))
    (tree / "runs").mkdir()
    (tree / "runs" / "run.json").write_text("{}")
    for name in LEFT_OVER:
        (tree / name).write_text("nobody else's business")
    (tree / "out").mkdir()
    subprocess.run([sys.executable, "-c", BUILD], cwd=tree, check=True, capture_output=True)
    return tree / "out"


def shipped(folder: Path) -> set[str]:
    """Every file under a folder of sources but what Python makes of them."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_every_source_and_asset_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {
        f"{package}/{name}"
        for package, folder in SOURCES.items()
        for name in shipped(folder)
        if not name.startswith(NOT_SHIPPED)
    }
    licenses = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("LICENSE")]
    assert len(licenses) == 1


def test_the_source_archive_holds_what_one_needs_to_build_and_use_it(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert set(BESIDE) <= names
    for folder in ("src/repviz", "dashboards", "scenes", "configs", "data", "docs"):
        assert {f"{folder}/{name}" for name in shipped(ROOT / folder)} <= names


def test_the_source_archive_holds_nothing_else(built):
    with tarfile.open(*built.glob("*.tar.gz")) as files:
        assert all(member.isfile() or member.isdir() for member in files), "links may point anywhere"
        names = {member.name.partition("/")[2] for member in files if member.isfile()}
    ours = {name for name in names - MADE if ".egg-info/" not in name}
    folders = {"src", "dashboards", "scenes", "configs", "data", "docs"}
    assert {name.partition("/")[0] for name in ours} == {*BESIDE, "pyproject.toml", *folders}
    assert ours <= tracked(), "not under version control (git add, if it belongs there)"


def tracked() -> set[str]:
    """Every file that git knows of."""
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(listed.stdout.split("\0"))


def test_every_constraint_is_exact_and_all_that_repviz_brings_is_pinned():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines}
    here = {canonicalize_name(found.name) for found in distributions()}
    brought = brought_by("repviz") & here - {"repviz"}
    assert {"torch", "lightning", "numpy"} <= brought
    assert brought <= pinned
