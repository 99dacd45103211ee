"""A power cut: of a file system whose disk is copied while someone writes, what was reported done is there.

The copy holds what has reached the disk; what lies in memory alone is lost, as when the power goes. ext4 is told not to
flush renamed files of its own accord (``noauto_da_alloc``) and to commit rarely. Needs root and loop devices.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.files import WRITERS

ROOT = Path(__file__).parent.parent.parent
OPTIONS = "loop,noauto_da_alloc,commit=300"
SIZE = 64 * 2**20

DURABLE = """
    import sys
    from pathlib import Path
    from tests.reliability.files import WRITERS
    number = 0
    while True:
        number += 1
        for write, _ in WRITERS.values():
            write(Path(sys.argv[1]), number)
        print(number, flush=True)
    """
UNFLUSHED = """
    import os, sys
    from pathlib import Path
    number = 0
    while True:
        number += 1
        folder = Path(sys.argv[1])
        (folder / "new").write_bytes(str(number).encode() * 20_000)
        os.replace(folder / "new", folder / f"file{number % 20}")
        print(number, flush=True)
    """


@contextmanager
def mounted(image: Path, where: Path) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", OPTIONS, str(image), str(where)], check=True, capture_output=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[tuple[Path, Path]]:
    """The image of a disk, and where it is mounted."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(SIZE)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
        with mounted(image, tmp_path / "mounted"):
            pass
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    with mounted(image, tmp_path / "mounted") as where:
        yield image, where


def cuts(code: str, disk: tuple[Path, Path], count: int) -> Iterator[tuple[Path, int]]:
    """The disk as the power cut leaves it, and the last number that was reported as written, ``count`` times."""
    image, where = disk
    moments = random.Random(0)
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(where)], cwd=ROOT, stdout=subprocess.PIPE
    )
    os.set_blocking(writer.stdout.fileno(), False)
    reported = 0
    try:
        for number in range(count):
            for waited in range(1_200):
                reported = int(((writer.stdout.read() or b"").split() or [reported])[-1])
                assert writer.poll() is None
                if reported > number and waited:
                    break
                time.sleep(0.1)
            time.sleep(moments.uniform(0, 0.2))
            writer.send_signal(signal.SIGSTOP)
            reported = int(((writer.stdout.read() or b"").split() or [reported])[-1])
            after = image.with_name("after")
            shutil.copyfile(image, after)
            writer.send_signal(signal.SIGCONT)
            with mounted(after, image.with_name("looked_at")) as left:
                yield left, reported
    finally:
        writer.kill()
        writer.communicate()


def test_what_was_reported_done_is_there_after_a_power_cut(disk, times):
    for left, reported in cuts(DURABLE, disk, times(2, 50)):
        numbers = {name: read(left) for name, (_, read) in WRITERS.items()}
        assert all(number in (reported, reported + 1) for number in numbers.values()), (reported, numbers)


def test_files_renamed_without_a_flush_are_lost_so_the_cut_is_one(disk):
    ((left, reported),) = cuts(UNFLUSHED, disk, 1)
    sizes = [path.stat().st_size for path in left.glob("file*")]
    assert len(sizes) < min(reported, 20) or 0 in sizes
