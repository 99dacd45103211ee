"""A file without a checksum is read in a child with limits: none of them may be missing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from repviz.store import unsealed
from repviz.store.errors import DamagedFileError
from repviz.store.hdf5 import read_dataset

CHILD = """
import sys, time
from pathlib import Path
from repviz.store import hdf5, unsealed

unsealed._SECONDS = {seconds}

def harm(path):
    {harm}

hdf5.read_with_the_library = harm
sys.exit(unsealed._child(Path(sys.argv[1]), Path(sys.argv[1] + ".copy")))
"""


def child(tmp_path, harm, seconds):
    """What becomes of the child, which has so many processor seconds, where reading does ``harm``."""
    (tmp_path / "a.h5").write_bytes(b"x")
    command = [sys.executable, "-c", CHILD.format(harm=harm, seconds=seconds), str(tmp_path / "a.h5")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_memory_of_the_child_is_bounded(tmp_path):
    ended = child(tmp_path, "bytearray(2 << 30)", 20)
    assert ended.returncode == unsealed._DAMAGED, ended.stderr
    assert "takes more memory" in ended.stdout


def test_the_processor_time_of_the_child_is_bounded_and_the_signal_tells_so(tmp_path):
    assert child(tmp_path, "while time.process_time() < 10: pass", 1).returncode == -signal.SIGXCPU


def test_the_time_of_the_child_is_bounded_by_the_clock(monkeypatch):
    monkeypatch.setattr(unsealed, "_SECONDS", 0.0025)
    with pytest.raises(DamagedFileError, match="takes too long"):
        read_dataset(Path(__file__).parent / "golden" / "format1.h5")
