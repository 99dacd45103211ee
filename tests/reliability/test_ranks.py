"""Two processes: whatever rank zero does alone, or whichever of them goes, nobody waits for ever."""

import os
import signal
import time

import pytest

import repviz
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import children_of, end, lives, only_run, script, wait_for, words_of  # noqa: F401

TWO = 'devices=2, strategy=DDPStrategy(process_group_backend="gloo")'
COLLECTIVES = (
    *("barrier", "monitored_barrier", "new_group", "broadcast", "broadcast_object_list", "scatter", "gather"),
    *("gather_object", "all_gather", "all_gather_object", "all_gather_into_tensor", "all_to_all", "reduce"),
    *("reduce_scatter", "all_reduce", "scatter_object_list", "send", "recv", "isend", "irecv"),
)
LIMIT = 20
"""Seconds within which a rank ends that has lost another."""


def test_a_look_longer_than_the_group_s_timeout_and_one_that_raises_elsewhere(script, tmp_path):  # noqa: F811
    """No collective runs where errors are swallowed: the other rank would be left waiting in it."""
    process = script(f"""
        import torch.distributed as dist
        from tests.reliability.swallowing import swallowers

        def looks(name, epoch):
            with open(f"looks_{{os.environ.get('LOCAL_RANK', '0')}}.txt", "a") as file:
                print(name, epoch, file=file)

        def slow(self, snapshot, earlier=None):
            looks("slow", snapshot.epoch)
            time.sleep(9 if snapshot.epoch == 1 else 0)
            return seen(snapshot)

        def raising(self, snapshot, earlier=None):
            looks("raising", snapshot.epoch)
            note("look")
            raise RuntimeError("it raises")

        def note(what):
            with open("collectives.txt", "a") as file:
                print(what, *swallowers(), file=file)

        def noted(name, real):
            def collective(*args, **kwargs):
                note(name)
                return real(*args, **kwargs)
            return collective

        for name in {COLLECTIVES}:
            setattr(dist, name, noted(name, getattr(dist, name)))

        real_replace = os.replace

        def replace(source, target):
            with open("written.txt", "a") as file:
                print(os.environ.get("LOCAL_RANK", "0"), target, file=file)
            note(f"write:{{os.path.basename(target)}}")
            return real_replace(source, target)

        os.replace = replace

        class ShortTimeout(L.Callback):
            # Not of the strategy: while the group is being formed, a process needs longer than that to start.

            def on_fit_start(self, trainer, pl_module):
                dist.distributed_c10d._set_pg_timeout(datetime.timedelta(seconds=4), dist.group.WORLD)

        slow, raising = diagnostic("slow", slow), diagnostic("raising", raising)
        fit([slow(mode="inline"), raising(mode="inline"), ShortTimeout()], epochs=2, batch_size=512, {TWO})
        """)
    output = words_of(process, 120)
    assert process.returncode == 0, output
    run = repviz.open_run(only_run(tmp_path))
    assert (run.info()["state"], run.info()["world_size"]) == ("finished", 2)
    assert len(read_metrics(run.path)) == 3
    assert run.epochs("slow") == [0, 1, 2]
    assert set(run.errors("raising")) == {0, 1, 2}
    looks = [(tmp_path / f"looks_{rank}.txt").read_text().splitlines() for rank in (0, 1)]
    assert [[line.split()[1] for line in lines] for lines in looks] == [["0", "1", "2"]] * 2, "each looks with one"
    assert len({*looks[0], *looks[1]}) == 6, "and not with the same"
    noted = [line.split() for line in (tmp_path / "collectives.txt").read_text().splitlines()]
    swallowed = {what: swallowers for what, *swallowers in noted}
    assert "repviz.callbacks.looking.compute_and_store" in swallowed["look"], "as a collective in a look would be"
    assert swallowed["write:metrics.csv"] == ["repviz.callbacks.recorder.RunRecorder._finish_epoch"]
    collectives = [(name, swallowers) for name, *swallowers in noted if name in COLLECTIVES]
    assert {"barrier", "broadcast_object_list", "all_gather_object", "new_group"} <= {name for name, _ in collectives}
    assert [each for each in collectives if each[1]] == []
    written = [line.split(maxsplit=1) for line in (tmp_path / "written.txt").read_text().splitlines()]
    artifacts = [path for _, path in written if path.endswith(".h5")]
    assert len(artifacts) == len(set(artifacts)) > 3, "by one of the two, once"
    assert {rank for rank, path in written if path.endswith((".csv", "run.json", ".ckpt"))} == {"0"}


def ranks(script, tmp_path) -> dict[int, int]:  # noqa: F811
    """Process ids of two ranks that train, by rank."""
    process = script(f"""
        Path(f"rank_{{os.environ.get('LOCAL_RANK', '0')}}").write_text(str(os.getpid()))
        fit([SimilarityCallback(mode="inline"), GeometryCallback()], {TWO})
        """)
    wait_for(process, lambda: list(tmp_path.glob("runs/*/artifacts/similarity/epoch_000001.h5")))
    return {rank: int((tmp_path / f"rank_{rank}").read_text()) for rank in (0, 1)}


@pytest.mark.parametrize("killed", [0, pytest.param(1, marks=soaking)])
def test_a_rank_is_killed(killed, script, tmp_path):  # noqa: F811
    found = ranks(script, tmp_path)
    workers = [pid for pid in children_of(found[0]) if pid != found[1]]
    assert workers
    os.kill(found[killed], signal.SIGKILL)
    deadline = time.monotonic() + LIMIT
    while left := [pid for pid in (found[1 - killed], *workers) if lives(pid)]:
        if time.monotonic() > deadline:
            end(left)
        assert time.monotonic() < deadline, f"rank {killed} was killed, and {left} of {found}, {workers} wait on"
        time.sleep(0.05)
    run = repviz.open_run(only_run(tmp_path))
    assert run.info()["state"] in ("killed", "failed")
    assert [run.read("similarity", epoch) for epoch in run.epochs("similarity")]


def test_rank_zero_cannot_open_the_run(script, tmp_path):  # noqa: F811
    (tmp_path / "runs").write_text("a file where the folder should be")
    process = script(f"fit([SimilarityCallback()], {TWO})")
    output = words_of(process)
    assert process.returncode != 0
    assert "cannot make a run folder" in output
    assert "Timed out" not in output
