"""Worker programs alone: what brings one down is recorded, the rest is computed, and nothing stays behind."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from repviz.background import pending
from repviz.background.background import Background
from repviz.background.handover import Handover, HandoverFile, receive
from repviz.background.pending import pending_epochs, put
from repviz.background.settings import BackgroundSettings
from repviz.callbacks.subject import Subject, named_layers
from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic
from repviz.errors import UserError
from repviz.snapshot import Sample
from repviz.store import artifacts


@dataclasses.dataclass(frozen=True)
class Total(Diagnostic):
    """Sum of the logits, and how its process runs."""

    kind: ClassVar[str] = "total"

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        facts = {"threads": torch.get_num_threads(), "nice": os.nice(0), "pid": os.getpid()}
        return xr.Dataset({"total": ((), float(snapshot.logits.sum()))}, attrs=facts)


@dataclasses.dataclass(frozen=True)
class Deadly(Diagnostic):
    """Brings its process down at epoch 1."""

    kind: ClassVar[str] = "deadly"

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        if snapshot.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return xr.Dataset({"alive": ((), 1)})


@dataclasses.dataclass(frozen=True)
class Silenced(Diagnostic):
    """Brings its process down when it has written what it was asked for, before it can say so."""

    kind: ClassVar[str] = "silenced"

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        from repviz.callbacks import looking

        real = looking.artifacts.write_artifact

        def write(*args, **kwargs):
            real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        looking.artifacts.write_artifact = write
        return xr.Dataset({"alive": ((), 1)})


@dataclasses.dataclass(frozen=True)
class Endless(Diagnostic):
    """Never comes back at epoch 1."""

    kind: ClassVar[str] = "endless"

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        if snapshot.epoch == 1:
            time.sleep(600)
        return xr.Dataset({"alive": ((), 1)})


@dataclasses.dataclass(frozen=True)
class Counted(Diagnostic):
    """Adds a line to a file whenever it computes."""

    kind: ClassVar[str] = "counted"
    file: str = ""

    def compute(self, snapshot, earlier=NOTHING_EARLIER):
        with open(self.file, "a") as file:
            print(snapshot.epoch, file=file)
        return xr.Dataset({"alive": ((), 1)})


@pytest.fixture(autouse=True)
def _temporary_folder(tmp_path, monkeypatch):
    """Where the handover goes, to see that it goes away."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def subject_of(module: nn.Module) -> Subject:
    points = torch.arange(12.0).reshape(4, 3)
    sample = Sample((points,), np.zeros(4), np.zeros(4), np.arange(4), np.array(list("abcd")), ("x", "y"))
    return Subject(module, named_layers(module, []), None, sample)


def run_epochs(tmp_path: Path, diagnostics: list[Diagnostic], n: int, **settings) -> tuple[list[float], Path]:
    """Hand over n epochs of a network whose weights change meanwhile; gives the sums of logits as they were."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    network = nn.Linear(3, 2)
    subject = subject_of(network)
    background = Background(subject, {d.kind: d for d in diagnostics}, run_dir, BackgroundSettings(**settings))
    totals = []
    for epoch in range(n):
        checkpoint = tmp_path / "last.ckpt"
        checkpoint.unlink(missing_ok=True)
        torch.save({"state_dict": network.state_dict()}, checkpoint)
        background.submit(epoch, epoch * 10, [d.kind for d in diagnostics], checkpoint)
        totals.append(float(network(subject.sample.inputs[0]).sum()))
        network.weight.data += 1
    assert background.drain()
    assert list((tmp_path / "temporary").iterdir()) == []
    return totals, run_dir


def test_each_epoch_is_seen_with_the_weights_it_had_in_a_program_that_gives_way(tmp_path):
    totals, run_dir = run_epochs(tmp_path, [Total()], 3, threads=1, nice=7)
    found = [artifacts.read_artifact(run_dir, "total", epoch) for epoch in range(3)]
    np.testing.assert_allclose([float(dataset["total"]) for dataset in found], totals, rtol=1e-6)
    assert [dataset.attrs["step"] for dataset in found] == [0, 10, 20]
    assert {dataset.attrs["threads"] for dataset in found} == {1}
    assert {dataset.attrs["nice"] for dataset in found} == {os.nice(0) + 7}
    (pid,) = {dataset.attrs["pid"] for dataset in found}
    assert pid != os.getpid()
    assert not Path(f"/proc/{pid}").exists()
    assert pending_epochs(run_dir) == []


def test_a_worker_that_dies_or_hangs_is_recorded_and_replaced(tmp_path):
    totals, run_dir = run_epochs(tmp_path, [Deadly(), Endless(), Total()], 3, time_limit=10.0)
    said = {}
    for kind in ("deadly", "endless"):
        assert artifacts.epochs(run_dir, kind) == [0, 2]
        said[kind] = artifacts.errors(run_dir, kind)[1]
        assert said[kind]["error"] == "WorkerEndedError"
    assert "signal 9" in said["deadly"]["message"]
    assert "background.time_limit, 10 s" in said["endless"]["message"]
    found = [float(artifacts.read_artifact(run_dir, "total", epoch)["total"]) for epoch in range(3)]
    np.testing.assert_allclose(found, totals, rtol=1e-6)


def test_what_was_written_before_a_worker_died_is_no_failure(tmp_path):
    _, run_dir = run_epochs(tmp_path, [Silenced(), Total()], 2)
    for kind in ("silenced", "total"):
        assert artifacts.epochs(run_dir, kind) == [0, 1]
        assert not artifacts.errors(run_dir, kind)


def test_a_worker_that_is_killed_with_nothing_to_do_costs_nothing(tmp_path):
    subject, run_dir, checkpoint = subject_of(nn.Linear(3, 2)), tmp_path / "run", tmp_path / "last.ckpt"
    run_dir.mkdir()
    torch.save({"state_dict": subject.module.state_dict()}, checkpoint)
    background = Background(subject, {"total": Total()}, run_dir, BackgroundSettings())
    background.submit(0, 0, ["total"], checkpoint)
    deadline = time.monotonic() + 240
    while background.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pid = int(artifacts.read_artifact(run_dir, "total", 0).attrs["pid"])
    os.kill(pid, signal.SIGKILL)
    while len(list(Path(f"/proc/{pid}/task").iterdir())) > 1 or " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline  # its threads end one by one
    background.submit(1, 10, ["total"], checkpoint)
    assert background.drain()
    assert not artifacts.errors(run_dir, "total")
    assert artifacts.read_artifact(run_dir, "total", 1).attrs["pid"] != pid


def test_training_waits_where_the_queue_is_full(tmp_path):
    subject, run_dir, checkpoint = subject_of(nn.Linear(3, 2)), tmp_path / "run", tmp_path / "last.ckpt"
    run_dir.mkdir()
    torch.save({"state_dict": subject.module.state_dict()}, checkpoint)
    settings = BackgroundSettings(when_full="wait", queue_size=1)
    background = Background(subject, {"total": Total()}, run_dir, settings)
    waiting = []
    for epoch in range(3):
        background.submit(epoch, epoch * 10, ["total"], checkpoint)
        waiting.append(background.waiting)
    assert background.drain()
    assert max(waiting) == 1
    assert artifacts.epochs(run_dir, "total") == [0, 1, 2]


def test_an_epoch_that_is_handed_over_twice_is_computed_once(tmp_path):
    subject, run_dir, file = subject_of(nn.Linear(3, 2)), tmp_path / "run", tmp_path / "computed.txt"
    run_dir.mkdir()
    checkpoint = tmp_path / "last.ckpt"
    torch.save({"state_dict": subject.module.state_dict()}, checkpoint)
    background = Background(
        subject, {"counted": Counted(str(file)), "total": Total()}, run_dir, BackgroundSettings(cpu_jobs=1)
    )
    background.submit(3, 30, ["counted"], checkpoint)
    background.submit(3, 30, ["counted", "total"], put(run_dir, 3, checkpoint))
    background.submit(3, 30, ["total"], checkpoint)
    assert background.waiting == 1
    assert background.drain()
    assert file.read_text().split() == ["3"]
    assert artifacts.epochs(run_dir, "counted") == artifacts.epochs(run_dir, "total") == [3]
    assert not artifacts.errors(run_dir, "counted")
    assert not artifacts.errors(run_dir, "total")
    assert pending_epochs(run_dir) == []


def test_an_epoch_that_is_being_laid_beside_the_others_when_training_is_told_to_end_is_counted(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(pending, "put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    background = Background(subject_of(nn.Linear(3, 2)), {"total": Total()}, tmp_path, BackgroundSettings())
    with pytest.raises(KeyboardInterrupt):
        background.submit(3, 30, ["total"], tmp_path / "last.ckpt")
    background.stop()
    assert f"1 epoch has not been looked at; 'repviz diagnose --run-dir {tmp_path}' does it" in caplog.text


def test_a_worker_with_nothing_to_do_ends_when_training_is_gone(tmp_path):
    file = HandoverFile(Handover(subject_of(nn.Linear(3, 2)), {"total": Total()}, tmp_path))
    settings = {"handover": str(file.path), "nice": 0, "threads": 1, "device": "cpu", "sys_path": sys.path}
    command = [sys.executable, "-m", "repviz.background.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        try:
            worker.stdin.write(json.dumps(settings) + "\n")
            worker.stdin.flush()
            assert json.loads(worker.stdout.readline()) == {"event": "ready"}
            worker.stdin.close()
            assert worker.wait(5) == 1
        finally:
            worker.kill()
    assert not file.path.parent.exists()


def test_what_cannot_be_sent_is_said_with_the_way_out(tmp_path):
    network = nn.Linear(3, 2)
    network.lock = threading.Lock()
    with pytest.raises(UserError, match=r"cannot be sent.*mode: inline"):
        Background(subject_of(network), {"total": Total()}, tmp_path, BackgroundSettings())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_handover_is_for_this_user_only_and_arrives_whole(tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    file = HandoverFile(Handover(subject_of(network), {"total": Total()}, tmp_path))
    assert file.path.parent.stat().st_mode & 0o077 == 0
    found = receive(file.path, "cpu")
    assert torch.equal(found.subject.module[0].weight, network[0].weight)
    assert torch.equal(found.subject.sample.inputs[0], subject_of(network).sample.inputs[0])
    assert found.diagnostics == {"total": Total()}
    file.remove()
    assert not file.path.parent.exists()


def test_a_criterion_of_its_own_goes_to_the_device_that_looks(tmp_path):
    subject = dataclasses.replace(subject_of(nn.Linear(3, 2)), criterion=nn.CrossEntropyLoss(torch.ones(2)))
    file = HandoverFile(Handover(subject, {}, tmp_path))
    found = receive(file.path, "meta").subject
    assert found.module.weight.device == found.criterion.weight.device == torch.device("meta")
    file.remove()


def test_waiting_weights_outlive_their_checkpoint(tmp_path):
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(b"weights of epoch 3")
    waiting = put(tmp_path, 3, checkpoint)
    checkpoint.unlink()
    checkpoint.write_bytes(b"weights of epoch 4")
    assert waiting.read_bytes() == b"weights of epoch 3"
    assert pending_epochs(tmp_path) == [3]
    assert put(tmp_path, 3, waiting) == waiting
    assert waiting.read_bytes() == b"weights of epoch 3"
