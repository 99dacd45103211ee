"""Strategies that shard the network: nobody looks alone at a part of it."""

from types import SimpleNamespace

import pytest
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy

from repviz.callbacks import ProbeCallback, RunRecorder
from repviz.errors import UserError


def set_up(strategy, mode):
    callbacks = [ProbeCallback(mode=mode), RunRecorder()]
    callbacks[1].setup(SimpleNamespace(strategy=strategy, callbacks=callbacks), None, "fit")


@pytest.mark.parametrize("mode", ["inline", "background"])
def test_a_sharded_strategy_is_refused_with_the_way_out(mode):
    with pytest.raises(UserError, match=r"FSDPStrategy.*probe.*--diagnostics offline"):
        set_up(FSDPStrategy(), mode)


def test_offline_and_replicas_are_not():
    set_up(FSDPStrategy(), "offline")
    set_up(DDPStrategy(), "inline")
