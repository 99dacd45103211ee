"""Folders that last, and private ones that do not outlive their process for long."""

import os
import stat
import subprocess
import sys
import tempfile

import pytest

from repviz import atomic
from repviz.atomic import make_folder, private_folder
from repviz.store.run_folder import claim

LEAVE = "from repviz.atomic import private_folder; print(private_folder('looks'))"


@pytest.fixture
def flushed(monkeypatch):
    """What was flushed, in order."""
    found = []
    whole = atomic.flush
    monkeypatch.setattr(atomic, "flush", lambda path: found.append(path) or whole(path))
    return found


def test_each_new_folder_is_flushed_into_the_one_above_it(tmp_path, flushed):
    make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert flushed == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    make_folder(tmp_path / "a" / "b" / "d")
    make_folder(tmp_path / "a")
    assert flushed[3:] == [tmp_path / "a" / "b"]


def test_a_run_that_was_claimed_survives_a_power_cut(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}")) or fsync(file))
    folder = claim(tmp_path / "runs")
    assert synced == [str(tmp_path), str(tmp_path / "runs")]
    assert folder.parent == tmp_path / "runs"


def test_what_killed_processes_left_among_temporary_files_goes_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    command, there = [sys.executable, "-c", LEAVE], {**os.environ, "TMPDIR": str(tmp_path)}
    left = subprocess.run(command, env=there, capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "repviz-looks").mkdir()
    mine = private_folder("looks")
    (mine / "weights").touch()
    other = private_folder("drawings")
    assert not os.path.exists(left)
    another = private_folder("looks")
    assert {mine, other, another, tmp_path / "repviz-looks"} == set(tmp_path.iterdir())
    assert (mine / "weights").exists()
    assert stat.S_IMODE(mine.stat().st_mode) == 0o700
