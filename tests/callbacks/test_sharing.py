"""Who of several processes looks with what: nobody twice, the longest first, and who goes on goes on alone."""

import pytest

from repviz.callbacks.ranks import Meeting
from repviz.callbacks.sharing import Dealer, Looked, SharedLook
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
