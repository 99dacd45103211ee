"""A reader sees the old content or the new one."""

import os
import stat
from pathlib import Path

import pytest

from repviz.atomic import link_or_copy, replacing, replacing_folder, write_text


def test_a_failed_write_leaves_the_old_content_and_nothing_beside(tmp_path):
    target = tmp_path / "file"
    write_text(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_target_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "file"
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_fault_of_the_disk_leaves_the_old_content(tmp_path, monkeypatch, call):
    target = tmp_path / "file"
    write_text(target, "old")

    def fail(*_):
        raise OSError("disk")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="disk"):
        write_text(target, "new")
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_content_and_folder_are_flushed(tmp_path, monkeypatch):
    flushed = []
    real = os.fsync

    def note(descriptor):
        flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_text(tmp_path / "file", "text")
    assert flushed == [False, True]


def test_a_link_follows_neither_later_replacement(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    write_text(source, "first")
    link_or_copy(source, target)
    write_text(source, "second")
    assert target.read_text() == "first"
    link_or_copy(source, target)
    assert target.read_text() == "second"


def test_without_hard_links_it_copies(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    write_text(tmp_path / "source", "text")
    link_or_copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "text"


def filled(folder, content: str) -> None:
    (folder / "a").write_text(content)


def test_a_folder_is_whole_or_not_there(tmp_path):
    target = tmp_path / "folder"
    with pytest.raises(RuntimeError), replacing_folder(target) as folder:
        filled(folder, "half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for content in ("old", "new"):
        with replacing_folder(target) as folder:
            filled(folder, content)
            assert not target.exists() or (target / "a").read_text() == "old"
    assert [path.read_text() for path in tmp_path.rglob("a")] == ["new"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    target = tmp_path / "folder"
    with replacing_folder(target) as folder:
        filled(folder, "old")
    rename = os.rename

    def failing(source, destination):
        if Path(source).joinpath("a").read_text() == "new":
            raise OSError("no space")
        rename(source, destination)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no space"), replacing_folder(target) as folder:
        filled(folder, "new")
    assert [path.read_text() for path in tmp_path.rglob("a")] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_new_folder_is_flushed_with_all_in_it_before_it_takes_its_name(tmp_path, monkeypatch):
    events, fsync, rename = [], os.fsync, os.rename

    def note(descriptor):
        events.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def take(source, destination):
        events.append("renamed")
        rename(source, destination)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "rename", take)
    with replacing_folder(tmp_path / "folder") as folder:
        filled(folder, "new")
        (folder / "deeper").mkdir()
        filled(folder / "deeper", "new")
    at = events.index("renamed")
    assert set(events[:at]) == {folder, folder / "a", folder / "deeper", folder / "deeper" / "a"}
    assert events[at + 1 :] == [tmp_path]
