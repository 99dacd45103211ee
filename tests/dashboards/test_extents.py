"""Boxes of maps: each holds every epoch, is as small as that allows, and each epoch is looked into once."""

import os
import time
from pathlib import Path

import pytest

from repviz.dashboards.catalog import Catalog
from repviz.dashboards.extents import Extents

LIMITS = {0: [0.0, 1.0, 0.0, 1.0], 1: [-3.0, 0.5, 0.0, 2.0], 2: [0.0, 1.0, -4.0, 1.0]}


class Maps:
    """A run whose maps have ``LIMITS``, or none, and what was looked into."""

    def __init__(self, run: Path) -> None:
        self.folder = run / "artifacts" / "projection"
        self.folder.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        self.seen: list[int] = []
        self.left = False
        self.extents = Extents("projection", self.boxes_in)
        self.run = Catalog(run.parent).find(run.name)

    def write(self, epoch: int, text: str = "") -> None:
        (self.folder / f".{epoch}").write_text(text)
        os.replace(self.folder / f".{epoch}", self.path(epoch))

    def path(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:06d}.h5"

    def boxes_in(self, path: Path) -> dict:
        epoch = int(path.stem.partition("_")[2])
        self.seen.append(epoch)
        return {"pca": {"input": LIMITS[epoch]}} if path.read_text() == "" else {}

    def box(self, seconds: float = 10.0) -> list[float] | None:
        self.left = self.extents.look(self.run, seconds)
        return self.extents.of_run(self.run).get("pca", {}).get("input")


@pytest.fixture
def maps(tmp_path) -> Maps:
    return Maps(tmp_path / "20260101_000000")


def test_a_box_grows_with_epochs_of_which_each_is_looked_into_once(maps):
    assert maps.box() is None
    maps.write(0)
    assert maps.box() == LIMITS[0]
    maps.write(1)
    maps.write(2)
    assert maps.box() == [-3.0, 1.0, -4.0, 2.0]
    assert maps.box() == [-3.0, 1.0, -4.0, 2.0]
    assert sorted(maps.seen) == [0, 1, 2]


def test_a_box_shrinks_when_an_epoch_is_gone_and_is_right_when_one_is_replaced(maps):
    for epoch in LIMITS:
        maps.write(epoch)
    before = maps.box()
    maps.path(2).unlink()
    assert maps.box() == [-3.0, 1.0, 0.0, 2.0]
    assert before == [-3.0, 1.0, -4.0, 2.0], "what was handed out stays as it was"
    maps.write(1, "nothing that can be drawn")
    assert maps.box() == LIMITS[0]
    assert sorted(maps.seen) == [0, 1, 1, 2], "those that stayed are not looked into again"


def test_what_there_was_no_time_for_is_looked_into_the_next_time_newest_first(maps, monkeypatch):
    for epoch in LIMITS:
        maps.write(epoch)
    monkeypatch.setattr(time, "monotonic", lambda: float(len(maps.seen)))  # each takes a second
    assert maps.box(seconds=1.5) == [-3.0, 1.0, -4.0, 2.0]
    assert maps.seen == [2, 1]
    assert maps.box(seconds=0) == [-3.0, 1.0, -4.0, 2.0]
    assert maps.seen == [2, 1]
    assert maps.left
    maps.box(seconds=1.5)
    assert maps.seen == [2, 1, 0]
    assert not maps.left


def test_there_is_more_time_where_nothing_is_known_yet(maps, monkeypatch):
    for epoch in LIMITS:
        maps.write(epoch)
    monkeypatch.setattr(time, "monotonic", lambda: float(len(maps.seen)))
    assert maps.extents.look(maps.run, 0.5, at_first=1.5)
    assert maps.seen == [2, 1]
    assert not maps.extents.look(maps.run, 0.5, at_first=1.5)
    assert maps.seen == [2, 1, 0]
    maps.write(0)
    maps.write(1)
    assert maps.extents.look(maps.run, 0.5, at_first=1.5)
    assert maps.seen == [2, 1, 0, 1]


def test_what_two_threads_find_at_once_is_kept(maps, monkeypatch):
    """While one looks into an epoch, another looks into all."""
    for epoch in LIMITS:
        maps.write(epoch)
    look = maps.extents._boxes_in

    def meanwhile(path):
        maps.extents._boxes_in = look
        maps.box()
        return look(path)

    maps.extents._boxes_in = meanwhile
    monkeypatch.setattr(time, "monotonic", lambda: float(len(maps.seen)))
    maps.box(seconds=3.5)  # over once the other one has looked at three
    assert maps.box(seconds=0) == [-3.0, 1.0, -4.0, 2.0]


def test_a_poll_leaves_maps_before_the_newest_known_one_to_others(maps):
    maps.write(1)
    assert not maps.extents.look(maps.run, 10.0, only_newer=True)
    for epoch in (0, 2):
        maps.write(epoch)
    assert maps.extents.look(maps.run, 10.0, only_newer=True), "epoch 0 is left"
    assert maps.seen == [1, 2]
    assert maps.extents.of_run(maps.run)["pca"]["input"] == [-3.0, 1.0, -4.0, 2.0]
    maps.box()
    assert maps.seen == [1, 2, 0]
    assert not maps.left


def test_a_map_between_known_ones_is_left_too(maps):
    maps.write(0)
    maps.write(2)
    maps.box()
    maps.write(1)
    assert maps.extents.look(maps.run, 10.0, only_newer=True)
    assert sorted(maps.seen) == [0, 2]
