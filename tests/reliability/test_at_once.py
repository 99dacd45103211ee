"""Several at once: starts in one second, readers beside a writer, a writer that is killed."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repviz.atomic import remove_leftovers
from repviz.errors import UserError
from tests.reliability.files import LARGE

ROOT = Path(__file__).parent.parent.parent


def start(code: str, *arguments: object, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_eight_starts_in_one_second_get_eight_folders(tmp_path, times):
    rounds, runs = times(50, 200), 8
    code = """
        import datetime, sys
        from pathlib import Path
        from repviz.store.run_folder import claim
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(int(sys.argv[2])):
            at = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=number)
            folder = claim(Path(sys.argv[1]), at)
            (folder / "mine").touch(exist_ok=False)
            print(folder.name)
        """
    started = [start(code, tmp_path, rounds) for _ in range(runs)]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    names = [name for process in started for name in process.communicate(timeout=120)[0].split()]
    assert all(process.returncode == 0 for process in started)
    assert len(names) == len(set(names)) == rounds * runs


WRITER = """
    import sys
    from pathlib import Path
    from repviz.store.artifacts import write_artifact
    from tests.reliability.files import dataset
    number = 0
    while True:
        number += 1
        write_artifact(Path(sys.argv[1]), "test", number % 5, dataset(number), step=number, version=1)
        print(number, flush=True)
    """


def test_readers_beside_a_writer_see_whole_files_and_do_not_disturb_it(tmp_path, times):
    reader = """
        import sys
        from pathlib import Path
        from repviz.store.artifacts import epochs, read_artifact
        from tests.reliability.files import WRITERS, is_whole
        run_dir, reads, different = Path(sys.argv[1]), 0, set()
        while reads < int(sys.argv[2]):
            for epoch in epochs(run_dir, "test"):
                found = read_artifact(run_dir, "test", epoch)
                assert is_whole(found)
                different.add(int(found["number"]))
                reads += 1
        print(len(different))
        """
    writer = start(WRITER, tmp_path)
    for _ in range(5):
        writer.stdout.readline()
    readers = [start(reader, tmp_path, times(150, 10_000)) for _ in range(times(2, 8))]
    try:
        seen = [int(process.communicate(timeout=600)[0]) for process in readers]
        assert writer.poll() is None
    finally:
        writer.kill()
        last = int(writer.communicate()[0].split()[-1])
    assert all(process.returncode == 0 for process in readers)
    assert last > 5
    assert max(seen) > 5, "the readers saw it write"


KILLED_WRITERS = """
    import os, sys
    from pathlib import Path
    from tests.reliability.files import LARGE, write_in_place
    write, _ = LARGE[sys.argv[1]]
    write(Path(sys.argv[2]), 0)
    for line in sys.stdin:
        how, _, folder = line.strip().partition(" ")
        child = os.fork()  # a process of its own that need not load torch again
        if not child:
            if how == "in_place":
                write_in_place()
            number = 0
            while True:
                number += 1
                write(Path(folder), number)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("killed", flush=True)
    """


@pytest.fixture(scope="module", params=LARGE)
def killed_writer(request, tmp_path_factory) -> Iterator[tuple[str, Callable[..., None]]]:
    """What is written, and a function: a writer of it in a folder is killed at a random moment.

    The temporary folder is on another file system where there is one: nothing is staged there.
    """
    moments, warm = random.Random(0), tmp_path_factory.mktemp("warm")
    elsewhere = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(warm)
    parent = start(KILLED_WRITERS, request.param, warm, TMPDIR=elsewhere)

    def kill(folder: Path, how: str, within: float = 0.15) -> None:
        parent.stdin.write(f"{how} {folder}\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        time.sleep(moments.uniform(0, within))
        os.kill(child, signal.SIGKILL)
        assert parent.stdout.readline() == "killed\n"

    try:
        yield request.param, kill
    finally:
        parent.kill()
        parent.communicate()


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(killed_writer, tmp_path, times):
    what, kill = killed_writer
    write, read = LARGE[what]
    write(tmp_path, 0)
    began = time.monotonic()
    write(tmp_path, 0)
    within = max(0.15, 3 * (time.monotonic() - began))  # some writers come to their second number
    found, kills, inside = set(), 0, 0
    while kills < times(15, 200) or inside < times(3, 20) or len(found) < 2:
        kill(tmp_path, "replacing", within)
        found.add(read(tmp_path))
        kills += 1
        inside += len(remove_leftovers(tmp_path))
        assert kills < 400, f"{inside} kills came inside a write, {found} were whole"


def is_broken(what: str, folder: Path) -> bool:
    try:
        LARGE[what][1](folder)
    except UserError:
        return True
    return False


def test_the_same_kills_break_a_file_that_is_written_in_place(killed_writer, tmp_path):
    what, kill = killed_writer
    LARGE[what][0](tmp_path, 0)
    for _ in range(200):
        kill(tmp_path, "in_place")
        if is_broken(what, tmp_path):
            return
    pytest.fail("no kill came inside a write")
