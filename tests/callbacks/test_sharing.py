"""Who of several processes looks with what: nobody twice, the longest first, and who goes on goes on alone."""

from pathlib import Path

import pytest
import torch
from torch import nn

from repviz.callbacks.ranks import Meeting
from repviz.callbacks.sharing import Dealer, Looked, Looker, SharedLook
from repviz.callbacks.subject import Subject
from repviz.callbacks.termination import Termination

KINDS = ["projection", "probe", "landscape", "surface", "geometry"]


def test_each_kind_is_dealt_once_and_the_longest_ends_soonest():
    dealer = Dealer(chained=[])
    dealer.learn({"projection": 8, "probe": 4, "landscape": 3, "surface": 2, "geometry": 1})
    shares = dealer.deal(KINDS, able=[0, 1])
    assert shares == {0: ["projection", "geometry"], 1: ["probe", "landscape", "surface"]}
    assert dealer.deal(KINDS, able=[0]) == {0: KINDS}


def test_what_took_no_one_knows_how_long_is_spread_evenly():
    shares = Dealer(chained=[]).deal(KINDS, able=[0, 1, 2])
    assert sorted(map(len, shares.values())) == [1, 2, 2]


def test_a_chained_kind_stays_where_it_was_first_and_rank_zero_stands_in():
    dealer = Dealer(chained=["projection", "probe"])
    first = dealer.deal(KINDS, able=[0, 1])
    places = {kind: rank for rank, kinds in first.items() for kind in kinds}
    assert {places["projection"], places["probe"]} == {0, 1}
    # However the times turn out, and whatever else is due.
    dealer.learn({"projection": 100, "probe": 100, "landscape": 1, "surface": 1, "geometry": 1})
    for due in (KINDS, ["probe", "projection"], ["projection", "landscape"]):
        again = {kind: rank for rank, kinds in dealer.deal(due, able=[0, 1]).items() for kind in kinds}
        assert all(again[kind] == places[kind] for kind in due if kind in ("projection", "probe"))
    assert dealer.deal(KINDS, able=[0]).keys() == {0}
    back = dealer.deal(["projection", "probe"], able=[0, 1])
    assert {kind: rank for rank, kinds in back.items() for kind in kinds} == {k: places[k] for k in back[0] + back[1]}


class Heard:
    """In the place of a meeting: what three ranks say of their networks, this one is the first."""

    rank, ranks = 0, 3

    def __init__(self, second, third):
        self.others = [second, third]

    def word_of_rank_zero(self, said):
        return said

    def words(self, said):
        return [said, *self.others] if isinstance(said, str) else [said, Looked({}, {}), Looked({}, {})]


def looker(mean: float = 0.0) -> Looker:
    """Of a network whose running mean is this."""
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[1].running_mean.fill_(mean)
    return Looker(Subject(network, {}, None, None), {}, Path())


def test_who_sees_no_run_folder_or_has_other_running_statistics_gets_no_share(monkeypatch):
    assert looker().digest() == looker().digest() != looker(1e-30).digest()
    mine, asked = looker(), []
    monkeypatch.setattr(mine, "look", lambda kinds, *rest: asked.append(kinds))
    for others in ((looker(1.0).digest(), None), (looker().digest(), None), (looker().digest(),) * 2):
        SharedLook(Heard(*others), Termination(), mine, {}).look(KINDS, 1, 10)
    assert [len(kinds) for kinds in asked] == [5, 3, 2]


def test_buffers_that_cannot_be_compared_leave_all_to_rank_zero(monkeypatch):
    mine, asked = looker(), []
    mine._subject.module.register_buffer("sparse", torch.eye(2).to_sparse())
    monkeypatch.setattr(mine, "look", lambda kinds, *rest: asked.append(kinds))
    SharedLook(Heard("rank 1", "rank 2"), Termination(), mine, {}).look(KINDS, 1, 10)
    assert asked == [KINDS]


class Noting:
    """In the place of a looker."""

    def __init__(self, ends: bool = False):
        self.ends = ends
        self.asked = []

    def look(self, kinds, epoch, step, looked):
        self.asked.append((kinds, epoch, step))
        looked.seconds["probe"] = 1.0
        if self.ends:
            raise KeyboardInterrupt


def test_one_process_looks_with_everything_and_is_interrupted_as_ever():
    looker = Noting()
    shared = SharedLook(Meeting(), Termination(), looker, {})
    assert shared.look((), 3, 30) == []
    assert shared.look(("probe", "geometry"), 3, 30) == [Looked({"probe": 1.0}, {})]
    assert looker.asked == [(["probe", "geometry"], 3, 30)]
    with pytest.raises(KeyboardInterrupt):
        SharedLook(Meeting(), Termination(), Noting(ends=True), {}).look(("probe",), 3, 30)
