"""One ``repviz diagnose`` at a time computes a kind of a run."""

import subprocess
import sys

import pytest

from repviz.errors import UserError
from repviz.offline.claiming import claimed

HOLD = """
import sys
from pathlib import Path
from repviz.offline.claiming import claimed
with claimed(Path(sys.argv[1]), sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """``held(*kinds)``: a process that holds them."""
    processes = []

    def hold(*kinds):
        command = [sys.executable, "-c", HOLD, str(tmp_path), *kinds]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "held\n"
        return processes[-1]

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_another_is_refused_until_the_first_is_gone_however_it_goes(held, tmp_path):
    process = held("probe", "landscape")
    with (
        pytest.raises(UserError, match="another repviz diagnose computes landscape of"),
        claimed(tmp_path, ["landscape"]),
    ):
        pass
    with claimed(tmp_path, ["geometry", "projection"]):
        pass
    process.kill()
    process.wait()
    with claimed(tmp_path, ["probe", "landscape"]):
        pass


def test_what_was_refused_holds_nothing(held, tmp_path):
    held("probe")
    with pytest.raises(UserError), claimed(tmp_path, ["geometry", "probe"]):
        pass
    held("geometry")


def test_a_folder_that_takes_nothing_is_one_line(tmp_path):
    with (
        pytest.raises(UserError, match=r"nothing can be written in .*: No such file or directory"),
        claimed(tmp_path / "nowhere", ["probe"]),
    ):
        pass


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".diagnosing").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError), claimed(tmp_path / "run", ["probe"]):
        pass
    assert not (tmp_path / "elsewhere").exists()
