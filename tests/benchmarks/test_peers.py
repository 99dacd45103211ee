"""Peers do the same work, and one that is not installed is named."""

import pytest
import torch

import peers
from benchmarks.report.record import Record
from landscape_parts.ways import CRITERION, farthest, one_forward_per_point, repviz, scene
from repviz.model.mlp import MLP
from training_parts.setting import Setting, network


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    record = Record("peers", "Peers", "")
    assert peers.installed("numpy", "numpy", record)
    assert record.not_measured == ""
    assert not peers.installed("no-such-package", "no_such_package", record)
    assert not peers.installed("nor-this-one", "nor_this_one", record)
    assert record.not_measured == "no-such-package is not installed, nor-this-one is not installed"


def test_loss_landscapes_gives_the_losses_that_repviz_gives_on_its_plane():
    pytest.importorskip("loss_landscapes", reason="loss-landscapes comes with the extra bench")
    from peers_parts.loss_landscapes_plane import same_plane, theirs

    seen = same_plane(4, 16)
    expected = theirs(seen, 4).flatten().double()
    assert expected.std() > 0.01
    assert farthest(repviz(seen), expected) < 1e-5


def test_the_loop_of_the_landscape_gives_the_loss_of_the_present_weights_in_the_middle():
    seen = scene(3, 16)
    with torch.no_grad():
        middle = CRITERION(seen.model(seen.x), seen.y).double()
    torch.testing.assert_close(one_forward_per_point(seen)[4], middle)


@pytest.mark.parametrize("layer_norm", [False, True])
def test_the_network_by_hand_has_the_weights_of_the_one_that_repviz_trains(layer_norm):
    by_hand = network(6, 3, Setting(hidden=(5, 4), layer_norm=layer_norm))
    ours = MLP(6, 3, (5, 4), layer_norm=layer_norm)
    assert [p.shape for p in by_hand.parameters()] == [p.shape for p in ours.parameters()]
