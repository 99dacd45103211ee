"""The cache: the same file is read once, a changed one again, and memory has a limit."""

import os
import threading

import pytest

from repviz.dashboards.cache import FileCache


@pytest.fixture
def read():
    """A loader that counts."""

    def load(path):
        load.calls += 1
        return path.read_bytes()

    load.calls = 0
    return load


def test_the_same_file_is_read_once_and_a_replaced_one_again(tmp_path, read):
    cache, path = FileCache(100), tmp_path / "x"
    path.write_bytes(b"one")
    assert [cache.get(path, read, len) for _ in range(3)] == [b"one"] * 3
    assert read.calls == 1
    other = tmp_path / "y"
    other.write_bytes(b"two")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))  # as a restored backup may have it
    os.replace(other, path)
    assert cache.get(path, read, len) == b"two"
    assert cache.n_bytes == 3


def test_least_recently_used_go_first_and_the_limit_holds(tmp_path, read):
    cache = FileCache(25)
    paths = [tmp_path / str(i) for i in range(3)]
    for path in paths:
        path.write_bytes(b"x" * 10)
    cache.get(paths[0], read, len)
    cache.get(paths[1], read, len)
    cache.get(paths[0], read, len)
    cache.get(paths[2], read, len)
    assert cache.n_bytes == 20
    assert read.calls == 3
    cache.get(paths[0], read, len)
    assert read.calls == 3
    cache.get(paths[1], read, len)
    assert read.calls == 4


def test_what_is_larger_than_the_limit_is_given_but_not_kept(tmp_path, read):
    path = tmp_path / "x"
    path.write_bytes(b"x" * 50)
    cache = FileCache(10)
    assert len(cache.get(path, read, len)) == 50
    assert cache.n_bytes == 0


def test_errors_are_not_remembered(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"")

    def fail(path):
        raise ValueError("damaged")

    cache = FileCache(10)
    with pytest.raises(ValueError, match="damaged"):
        cache.get(path, fail, len)
    assert cache.get(path, lambda p: b"ok", len) == b"ok"
    with pytest.raises(FileNotFoundError):
        cache.get(tmp_path / "y", fail, len)


def test_many_threads_leave_the_account_right(tmp_path, read):
    paths = [tmp_path / str(i) for i in range(8)]
    for path in paths:
        path.write_bytes(b"x" * 10)
    cache = FileCache(45)

    def work():
        for i in range(200):
            assert cache.get(paths[i * 7 % 8], read, len) == b"x" * 10

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < cache.n_bytes <= 45
    assert cache.n_bytes % 10 == 0
