"""Listings of folders: kept as soon as every later change must show in the folder's time, and never longer."""

import os
import time

import pytest

from repviz.dashboards import listed
from repviz.dashboards.listed import Listed


class Folder:
    """A folder of artifacts, clocks that stand still unless told, and how often it was listed."""

    def __init__(self, path, monkeypatch) -> None:
        self.path, self.listings, self.n, self.now = path, Listed(), 0, 1_000.0
        really = listed._listing

        def counted(*given):
            self.n += 1
            return really(*given)

        monkeypatch.setattr(listed, "_listing", counted)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "time_ns", lambda: int(self.now * 1e9))

    def add(self, epoch: int, modified: float) -> None:
        """A new artifact, after which the folder's time is ``modified``."""
        (self.path / f"epoch_{epoch:06d}.h5").write_text("")
        os.utime(self.path, ns=(0, int(modified * 1e9)))

    def epochs(self) -> list[int]:
        return list(self.listings.folder(self.path).artifacts)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("modified", "settles"), [(1_000.5, 0.1), (1_000.0, 2.0)], ids=["fine stamps", "stamps of whole seconds"]
)
def test_a_second_change_within_a_tick_of_the_file_systems_clock_is_seen(folder, modified, settles):
    folder.now = modified
    folder.add(0, modified)
    assert folder.epochs() == [0]
    folder.now += 0.8 * settles
    assert folder.epochs() == [0], "which is not to be kept yet"
    folder.now += 0.1 * settles
    folder.add(1, modified)  # the same time of the folder as before
    assert folder.epochs() == [0, 1]
    folder.now += 0.2 * settles
    assert folder.epochs() == [0, 1]
    listings = folder.n
    assert folder.epochs() == [0, 1]
    assert folder.n == listings, "nothing can happen any more that the folder's time does not tell"
    folder.add(2, modified + 3)
    assert folder.epochs() == [0, 1, 2]


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_a_file_server_with_another_clock_is_waited_for_by_ones_own(folder, ahead):
    folder.add(0, folder.now + ahead + 0.5)
    folder.epochs()
    folder.add(1, folder.now + ahead + 0.5)
    assert folder.epochs() == [0, 1]
    folder.now += 0.11
    folder.epochs()
    listings = folder.n
    folder.epochs()
    assert folder.n == listings


def test_what_has_an_inode_of_before_is_seen_as_new_once_the_folder_is_at_rest(folder):
    """As where a file was replaced twice between two polls: file systems give numbers again."""
    folder.add(0, 1_000.5)
    folder.add(1, 1_000.5)
    folder.now = 1_001.0
    before = folder.listings.folder(folder.path)
    folder.now = 1_002.0
    before = folder.listings.folder(folder.path)
    (folder.path / "epoch_000000.h5").write_text("another, under the number of the one before")
    folder.add(2, 1_003.5)
    quick = folder.listings.folder(folder.path)
    assert list(quick.artifacts) == [0, 1, 2]
    assert quick.artifacts[0] == before.artifacts[0]
    folder.now += 0.2
    rested = folder.listings.folder(folder.path)
    assert rested.artifacts[0] != before.artifacts[0]
    assert rested.artifacts[1] == before.artifacts[1]
    assert rested.digest != quick.digest


def test_a_file_that_replaces_one_is_seen_at_once(folder):
    folder.add(0, 1_000.5)
    before = folder.listings.folder(folder.path).artifacts[0]
    (folder.path / ".new").write_text("")
    os.replace(folder.path / ".new", folder.path / "epoch_000000.h5")
    os.utime(folder.path, ns=(0, int(1_000.6 * 1e9)))
    assert folder.listings.folder(folder.path).artifacts[0] != before
