"""SIGTERM in a training of two processes, as a cluster sends it: both end after the same step, and the run goes on."""

import signal
import socket
import subprocess
import time

import pytest

import repviz
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.reliability.scripts import children_of, lives, only_run, script, wait_for, words_of  # noqa: F401
from tests.training.conftest import weights

LIMIT = 20
"""Seconds within which both have ended; where the machine is busy, an interpreter alone takes six to go."""
TRAIN = """
    from tests.training.slowly import Slowly

    fit([SimilarityCallback(mode="inline"), GeometryCallback(mode=%r), Slowly()], devices=2,
        strategy=DDPStrategy(process_group_backend="gloo"))
    """
LOOKING = """
    def compute(self, snapshot, earlier=None):
        if snapshot.epoch == 1:
            Path("looking").touch()
            time.sleep(300)
        return seen(snapshot)

    fit([diagnostic("slow", compute)(mode="inline"), SimilarityCallback(mode="inline")], devices=2, batch_size=512,
        strategy=DDPStrategy(process_group_backend="gloo"))
    """


@pytest.fixture
def two(script):  # noqa: F811
    """Starts two processes that are ranks of one training, as torchrun and SLURM start them: none is the other's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def start(code: str) -> list[subprocess.Popen]:
        common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        return [script(code, RANK=str(rank), LOCAL_RANK=str(rank), **common, **address) for rank in (0, 1)]

    return start


def ended(processes, told) -> list[str]:
    """What both have said; they have ended in time, with a code that says that training was not finished."""
    began = time.monotonic()
    for rank in told:
        processes[rank].send_signal(signal.SIGTERM)
    said = [words_of(process) for process in processes]
    assert time.monotonic() - began < LIMIT, said
    assert [process.returncode for process in processes] == [128 + signal.SIGTERM] * 2, said
    return said


@pytest.mark.parametrize(
    ("told", "mode"), [((0, 1), "inline"), *(pytest.param((rank,), "background", marks=soaking) for rank in (0, 1))]
)
def test_told_to_end_while_they_train(told, mode, two, tmp_path):
    processes = two(TRAIN % mode)
    wait_for(processes[0], lambda: list(tmp_path.glob("runs/*/artifacts/geometry/epoch_000001.h5")))
    said = ended(processes, told)
    run = repviz.open_run(only_run(tmp_path))
    assert run.info()["state"] == "stopped", said
    assert "Traceback" not in said[0] + said[1]
    assert len(read_metrics(run.path)) == len(run.metrics()) >= 2
    assert weights(run.path)
    assert run.errors("similarity") == {}


@soaking
def test_told_to_end_while_one_of_them_looks_for_long(two, tmp_path):
    processes = two(LOOKING)
    wait_for(processes[0], (tmp_path / "looking").exists)
    said = ended(processes, (0, 1))
    stopped_while_looking(tmp_path, said)


@soaking
def test_rank_zero_passes_it_on_to_those_that_it_has_started(script, tmp_path):  # noqa: F811
    process = script(LOOKING)
    wait_for(process, (tmp_path / "looking").exists)
    (other,) = children_of(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = words_of(process)
    assert time.monotonic() - began < LIMIT, said
    # Lightning kills rank zero where it sees another end before it: the run has been closed by then.
    assert process.returncode in (128 + signal.SIGTERM, -signal.SIGKILL), said
    stopped_while_looking(tmp_path, said)
    while lives(other):
        assert time.monotonic() - began < LIMIT
        time.sleep(0.05)


def stopped_while_looking(tmp_path, said):
    """The run says so, and what was finished is there."""
    run = repviz.open_run(only_run(tmp_path))
    assert run.info()["state"] == "stopped", said
    assert run.epochs("slow") == [0]
    assert set(run.epochs("similarity")) >= {0}
    assert weights(run.path)
