"""Claiming folders, and telling running from killed."""

import datetime
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from repviz.errors import UserError
from repviz.store import run_folder
from repviz.store.heartbeat import Heartbeat


def test_starts_in_the_same_second_get_folders_of_their_own(tmp_path):
    at = datetime.datetime(2026, 1, 2, 3, 4, 5)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: run_folder.claim(tmp_path, at), range(40)))
    assert len(set(folders)) == 40
    assert (tmp_path / "20260102_030405").is_dir()
    assert (tmp_path / "20260102_030405_2").is_dir()


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--runs-dir"):
        run_folder.claim(tmp_path / "file")


def record(tmp_path, **changes):
    run_folder.write_run_file(tmp_path, {"state": "running", **run_folder.identity(), **changes})
    return run_folder.read_run_file(tmp_path)["state"]


def test_this_process_runs_and_a_dead_one_was_killed(tmp_path):
    assert record(tmp_path) == "running"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    start = run_folder.process_start(child.pid)
    assert record(tmp_path, pid=child.pid, pid_start=start) == "running"
    child.kill()
    child.wait()
    assert record(tmp_path, pid=child.pid, pid_start=start) == "killed"


def test_another_process_with_the_same_number_does_not_count(tmp_path):
    assert record(tmp_path, pid_start="1") == "killed"


def test_on_another_host_the_heartbeat_decides(tmp_path):
    old = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)).isoformat()
    assert record(tmp_path, host="elsewhere") == "running"
    assert record(tmp_path, host="elsewhere", heartbeat=old) == "killed"


def test_a_finished_run_stays_finished_whatever_its_process(tmp_path):
    assert record(tmp_path, state="finished", pid=1, pid_start="x") == "finished"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"state"'])
def test_a_damaged_run_file_is_an_error(tmp_path, content):
    (tmp_path / run_folder.RUN_FILE).write_text(content)
    with pytest.raises(ValueError):
        run_folder.read_run_file(tmp_path)


def test_the_heartbeat_renews_progress_and_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("repviz.store.heartbeat.HEARTBEAT_SECONDS", 0.02)
    steps = iter(range(10**6))
    beat = Heartbeat(tmp_path, {"state": "running", **run_folder.identity()}, lambda: {"step": next(steps)})
    beat.start()
    deadline = time.monotonic() + 10
    while json.loads((tmp_path / "run.json").read_text())["progress"]["step"] < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    beat.stop(state="finished")
    content = (tmp_path / "run.json").read_text()
    time.sleep(0.1)
    assert (tmp_path / "run.json").read_text() == content
    assert json.loads(content)["state"] == "finished"


def test_a_checkpoint_knows_its_run(tmp_path):
    record(tmp_path)
    assert run_folder.run_of_checkpoint(tmp_path / "checkpoints" / "last.ckpt") == tmp_path
    assert run_folder.run_of_checkpoint(tmp_path / "elsewhere" / "last.ckpt") is None
