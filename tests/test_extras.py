"""What a message says to install is what the extra brings, and nobody is sent for a package of this project's name."""

import re
import shlex
import tomllib
from importlib import metadata

import pytest

from repviz import extras
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOLDERS = ("docs", "src", "dashboards", "scenes", "configs", "examples")
SAID = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]


def parts(requirement: str) -> tuple[str, set[str]]:
    """Name, and limits in any order."""
    name, limits = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
    return name, set(limits.split(","))


@pytest.mark.parametrize("extra", ["cluster", "gpu", "images", "notebook", "parquet", "scenes"])
def test_a_command_brings_what_the_extra_names(extra):
    command = shlex.split(extras.install_command(extra))
    assert command[:2] == ["pip", "install"]
    wanted = PROJECT["optional-dependencies"][extra]
    assert sorted(map(parts, command[2:])) == sorted(map(parts, wanted))


def test_an_extra_that_there_is_not_is_a_mistake():
    with pytest.raises(KeyError, match="picture"):
        extras.install_command("picture")


def test_sources_that_are_not_installed_say_where(monkeypatch):
    def not_installed(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras, "requires", not_installed)
    assert "'.[images]'" in extras.install_command("images")


def test_nothing_sends_anyone_for_a_package_of_this_name():
    """The name on PyPI is another project's."""
    said = [path for path in SAID if path.suffix in (".md", ".py", ".yaml", ".ipynb")]
    assert len(said) > 200
    asks = re.compile(r"pip install [^\n`]*\brepviz\b(?!'s)")
    assert not [str(path) for path in said if asks.search(path.read_text("utf-8"))]
