"""What the README names exists: every setting in its table for those who come from the original scripts."""

import re

import pytest

from repviz.cli import main
from tests.conftest import ROOT

TABLE = re.compile(r"^\| (`--[^|]+) \| ([^|]+) \|$", re.MULTILINE)
FLAGS = {
    *("--use-financial", "--fusion", "--epochs", "--viz-every", "--probe-every", "--landscape-every", "--export-mp4"),
    *("--standardize", "--diagnostics", "--save-epoch-every", "--save-viz-every", "--batch-size", "--hidden-dims"),
    *("--num-workers", "--cpu-jobs", "--prefetch-factor", "--torch-threads", "--compile", "--tf32"),
    *("--cudnn-benchmark", "--run-dir", "--runs-dir", "--data"),
}


def words(command: list[str], capsys) -> set[str]:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    return set(re.findall(r"--[\w.-]+", capsys.readouterr().out))


def test_every_flag_of_the_original_scripts_has_a_setting_that_exists(capsys):
    rows = TABLE.findall((ROOT / "README.md").read_text("utf-8"))
    known = words(["fit"], capsys) | words(["diagnose"], capsys)
    there = [name for left, _ in rows for name in re.findall(r"--[\w-]+", left)]
    assert set(there) == FLAGS
    assert len(there) == len(FLAGS)
    here = {name for _, right in rows for name in re.findall(r"--[\w.-]+", right)}
    assert here - known == set()
