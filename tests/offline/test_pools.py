"""Several processes, and a cluster of which a worker dies: the same numbers as one process, and no step lost."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import cloudpickle
import pytest
import xarray as xr

import repviz
from repviz.cli import main
from repviz.errors import UserError
from repviz.offline import diagnosing, pools, work
from repviz.offline.pools import dask_cluster, local_processes
from repviz.store.checkpoint_paths import checkpoint_path
from tests.conftest import require
from tests.offline import faults
from tests.training.conftest import SMALL

KINDS = ["geometry", "interpolation", "prediction", "similarity", "trajectory"]
OPTIONS = ["--only", ",".join(KINDS), "--set", "interpolation.pairs=4", "--set", "trajectory.resolution=3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, packages):
    """A run without diagnostics, and the same with those that one process has made, one after the other."""
    runs_dir = tmp_path_factory.mktemp("runs")
    options = ["--trainer.max_epochs", "2", "--sample.size", "120"]
    main(["fit", "--data.path", str(packages), "--runs-dir", str(runs_dir), *SMALL, *options])
    (bare,) = runs_dir.iterdir()
    done = shutil.copytree(bare, runs_dir / "done")
    main(["diagnose", "--run-dir", str(done), "--threads", "1", *OPTIONS])
    return bare, repviz.open_run(done)


@pytest.fixture
def runs(trained, tmp_path):
    """The run with diagnostics, and another copy of the one without."""
    bare, done = trained
    return done, repviz.open_run(shutil.copytree(bare, tmp_path / "run"))


def assert_same(one, other):
    assert one.kinds() == other.kinds() == KINDS
    for kind in KINDS:
        assert one.epochs(kind) == other.epochs(kind)
        for epoch in one.epochs(kind) or [None]:
            here, there = one.read(kind, epoch), other.read(kind, epoch)
            xr.testing.assert_equal(here, there)
            assert here.attrs.get("previous_epoch") == there.attrs.get("previous_epoch")
    assert one.epochs("similarity") == [0, 1, 2]


def test_several_processes_give_the_numbers_of_one(runs, capsys):
    one, several = runs
    main(["diagnose", "--run-dir", str(several.path), "--jobs", "2", "--threads", "1", *OPTIONS])
    assert capsys.readouterr().out.splitlines()[-1] == "13 computed"
    assert_same(one, several)


def test_a_cluster_gives_the_numbers_of_one_process_also_when_a_worker_is_killed(runs, monkeypatch):
    require("dask", module="distributed")
    from distributed import LocalCluster

    one, several = runs
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0, memory_limit=0
    ) as cluster:
        victim = cluster.workers[0].pid

        def kill():
            while not list(several.path.rglob("artifacts/**/*.h5")):
                time.sleep(0.02)
            os.kill(victim, signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        main(["diagnose", "--run-dir", str(several.path), "--scheduler", cluster.scheduler_address, *OPTIONS])
        killer.join(1)
        assert not killer.is_alive()
        assert cluster.workers[0].pid != victim
        with dask_cluster(cluster.scheduler_address) as pool:
            cloudpickle.register_pickle_by_value(faults)  # workers do not know the tests
            assert pool.submit(faults.faults_of_arrays).result(60) < 10 * faults.PAGES, "freed memory is kept"
            cloudpickle.unregister_pickle_by_value(faults)
    assert_same(one, several)


def test_a_task_sends_no_data_and_a_process_keeps_that_of_one_run(trained, tmp_path, monkeypatch):
    bare, _ = trained
    sent = []

    @contextmanager
    def noting(*_):
        with pools.this_process() as pool:

            def submit(*task):
                sent.append(len(cloudpickle.dumps(task)))
                return pool.submit(*task)

            yield pool._replace(submit=submit)

    monkeypatch.setattr(diagnosing, "_pool", noting)
    for name in ("one", "other"):
        run_dir = shutil.copytree(bare, tmp_path / name)
        main(["diagnose", "--run-dir", str(run_dir), "--only", "similarity,prediction"])
        assert [kept._run_dir for kept in work._loaded.values()] == [run_dir]
    assert len(sent) == 2 * 6
    assert max(sent) < 20_000 < 3200 * 384 * 4


def test_a_checkpoint_that_is_deleted_meanwhile_is_said(runs, monkeypatch, capsys):
    _, run = runs
    step_of = work.RecordedRun.subject

    def subject(self, epoch):
        if epoch == 1:
            checkpoint_path(run.path, 1).unlink(missing_ok=True)
        return step_of(self, epoch)

    monkeypatch.setattr(work.RecordedRun, "subject", subject)
    main(["diagnose", "--run-dir", str(run.path), "--only", "geometry"])
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "2 computed"
    assert "geometry of epoch 1 is left out: its checkpoint has been deleted meanwhile" in printed.err
    assert run.epochs("geometry") == [0, 2]
    assert run.errors("geometry") == {}


def test_stopped_it_goes_on_from_there(runs, monkeypatch, capsys):
    one, run = runs
    step_of = work.RecordedRun.look

    def look(self, epoch, due):
        if epoch == 1:
            raise KeyboardInterrupt
        return step_of(self, epoch, due)

    monkeypatch.setattr(work.RecordedRun, "look", look)
    with pytest.raises(SystemExit) as ended:
        main(["diagnose", "--run-dir", str(run.path), *OPTIONS])
    assert ended.value.code == 130
    assert "stopped: 4 of 13 are computed" in capsys.readouterr().err
    monkeypatch.undo()
    main(["diagnose", "--run-dir", str(run.path), *OPTIONS])
    assert capsys.readouterr().out.splitlines()[-1] == "9 computed"
    assert_same(one, run)


def test_a_worker_process_that_is_killed_is_said_and_none_is_left():
    with pytest.raises(UserError, match="ended abruptly"), local_processes(1, 1) as pool:
        worker = pool.submit(os.getpid).result()
        pool.submit(os.kill, worker, signal.SIGKILL).result()
    assert not Path(f"/proc/{worker}").exists()


def test_when_the_first_process_is_killed_the_others_end():
    code = """
from repviz.offline.pools import dask_cluster, local_processes
import os, time
with local_processes(1, 1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 60).result()
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = Path(f"/proc/{int(first.stdout.readline())}")
    assert worker.exists()
    first.kill()
    first.wait()
    deadline = time.monotonic() + 30
    while worker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("address", ["nonsense", "tcp://host", "host:port"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(UserError, match="address of a Dask scheduler"), dask_cluster(address):
        pass


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch):
    require("dask", module="distributed")
    monkeypatch.setattr(pools, "_PATIENCE", 0.2)
    with (
        pytest.raises(UserError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        dask_cluster("tcp://127.0.0.1:1"),
    ):
        pass


def test_without_dask_the_way_to_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'distributed>="), dask_cluster("tcp://127.0.0.1:1"):
        pass
