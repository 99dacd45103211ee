"""In which order steps are given out, and what is missing."""

import random
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr

from repviz.background.pending import put
from repviz.callbacks.diagnostic import callback_for
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.diagnostics.trajectory import Trajectory
from repviz.offline.plan import Schedule, Step, missing_steps
from repviz.store import artifacts
from repviz.store.run_folder import identity, write_run_file


def make(name, chained):
    @dataclass(frozen=True)
    class Made(Diagnostic):
        kind: ClassVar[str] = name
        chain: ClassVar[str] = chained

        def compute(self, snapshot, earlier=None):
            raise NotImplementedError

    return Made


KINDS = {"free": make("free", "none"), "back": make("back", "previous"), "both": make("both", "both")}
KINDS["first"] = make("first", "first")
DIAGNOSTICS = {kind: found() for kind, found in KINDS.items()} | {"trajectory": Trajectory()}


def steps_of(epochs, kinds=tuple(KINDS)):
    return [Step(epoch, kind) for epoch in epochs for kind in kinds]


def test_with_room_for_one_the_epochs_come_one_after_the_other():
    steps = steps_of(range(4))
    schedule, given = Schedule(steps, DIAGNOSTICS, {}), []
    while (step := schedule.take()) is not None:
        given.append(step)
        schedule.finished(step, True)
    assert given == steps


@pytest.mark.parametrize("seed", range(5))
def test_whatever_ends_when_nothing_begins_before_what_it_looks_back_at(seed):
    generator = random.Random(seed)
    schedule, under_way, done = Schedule(steps_of(range(6)), DIAGNOSTICS, {}), [], {kind: [] for kind in KINDS}
    most = 0
    while True:
        while len(under_way) < 8 and (step := schedule.take()) is not None:
            if step.kind in ("back", "both"):
                assert done[step.kind] == list(range(step.epoch))
            if step.kind == "first" and step.epoch > 0:
                assert 0 in done["first"]
            under_way.append(step)
        if not under_way:
            break
        most = max(most, len(under_way))
        step = under_way.pop(generator.randrange(len(under_way)))
        done[step.kind].append(step.epoch)
        schedule.finished(step, True)
    assert {kind: sorted(epochs) for kind, epochs in done.items()} == {key: list(range(6)) for key in KINDS}
    assert most == 8


def test_all_that_look_back_at_a_first_epoch_wait_until_one_is_there():
    schedule = Schedule(steps_of(range(4), ["first"]), DIAGNOSTICS, {})
    assert schedule.take() == Step(0, "first")
    assert schedule.take() is None
    schedule.finished(Step(0, "first"), False)
    assert schedule.take() == Step(1, "first")
    assert schedule.take() is None
    schedule.finished(Step(1, "first"), True)
    assert [schedule.take(), schedule.take(), schedule.take()] == [Step(2, "first"), Step(3, "first"), None]


def test_a_first_epoch_that_is_there_need_not_be_waited_for_but_a_later_one_is_not_it():
    schedule = Schedule(steps_of([2, 3], ["first"]), DIAGNOSTICS, {"first": [1, 7]})
    assert [schedule.take(), schedule.take()] == [Step(2, "first"), Step(3, "first")]
    schedule = Schedule(steps_of([2, 3], ["first"]), DIAGNOSTICS, {"first": [7]})
    assert [schedule.take(), schedule.take()] == [Step(2, "first"), None]


def test_a_failure_does_not_hold_up_what_comes_after_it():
    schedule = Schedule(steps_of(range(2), ["back"]), DIAGNOSTICS, {})
    schedule.finished(schedule.take(), False)
    assert schedule.take() == Step(1, "back")


def test_missing_is_what_is_due_and_not_there(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for epoch in (0, 1, 2, 3, 5):
        (tmp_path / "checkpoints" / f"epoch_{epoch:06d}.ckpt").touch()
    dataset = xr.Dataset({"x": ("s", np.zeros(2))})
    artifacts.write_artifact(tmp_path, "free", 2, dataset, step=0, version=1)
    write_run_file(tmp_path, identity() | {"state": "finished"})
    free = callback_for(KINDS["free"], "Free")(every_n_epochs=2)
    path = callback_for(Trajectory, "Path")()
    found = missing_steps(tmp_path, [free, path], None, overwrite=False)
    assert found == [Step(0, "free"), Step(5, "free"), Step(5, "trajectory")]
    assert missing_steps(tmp_path, [free], [1, 2], overwrite=False) == [Step(1, "free")]
    assert missing_steps(tmp_path, [free], [1, 2], overwrite=True) == [Step(1, "free"), Step(2, "free")]
    artifacts.write_run_artifact(tmp_path, "trajectory", dataset, epoch=3, step=0, version=1)
    assert missing_steps(tmp_path, [path], None, overwrite=False) == [Step(5, "trajectory")]
    artifacts.write_run_artifact(tmp_path, "trajectory", dataset, epoch=6, step=0, version=1)
    assert missing_steps(tmp_path, [path], None, overwrite=False) == []
    assert missing_steps(tmp_path, [path], None, overwrite=True) == [Step(5, "trajectory")]


def test_what_a_living_training_computes_itself_is_left_to_it(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for epoch in range(6):
        (tmp_path / "checkpoints" / f"epoch_{epoch:06d}.ckpt").touch()
    for epoch in (2, 3):
        put(tmp_path, epoch, tmp_path / "checkpoints" / f"epoch_{epoch:06d}.ckpt")
    free, other = callback_for(KINDS["free"], "Free")(), callback_for(KINDS["back"], "Back")()
    facts = identity() | {"state": "running", "progress": {"epoch": 4}, "every_n_epochs": {"free": 1}}
    write_run_file(tmp_path, facts)
    found = missing_steps(tmp_path, [free, other], None, overwrite=False)
    assert [step.epoch for step in found if step.kind == "free"] == [0, 1]
    assert [step.epoch for step in found if step.kind == "back"] == [0, 1, 2, 3, 4, 5]
    assert missing_steps(tmp_path, [free], [1, 2, 5], overwrite=True) == [Step(1, "free")]
    write_run_file(tmp_path, facts | {"pid_start": "another"})  # the process is gone
    assert len(missing_steps(tmp_path, [free], None, overwrite=False)) == 6
