"""Work that many ask for at once is done once, and nobody gets an answer from before they asked."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from repviz.dashboards.cache import BoundedCache
from repviz.dashboards.shared import Shared

N = 16


def at_once(work, n=N):
    """What ``n`` threads get from ``work(k)`` that begin together."""
    together = threading.Barrier(n)

    def begin(k):
        together.wait(10)
        return work(k)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(begin, range(n)))


def test_many_who_ask_at_once_cost_two_makings_at_most():
    shared, made = Shared(), []

    def make():
        time.sleep(0.3)
        made.append(None)
        return len(made)

    answers = at_once(lambda _: shared.get("key", make))
    assert len(made) <= 2, "the first one's, and one for all who came while that was made"
    assert set(answers) == set(range(1, len(made) + 1))
    assert shared.get("key", make) == len(made), "nothing is kept once nobody waits"


def test_an_answer_is_never_older_than_the_question():
    """Each thread raises a counter and then asks for it: less than what it has written would be from before."""
    shared, counter, lock = Shared(), [0], threading.Lock()

    def make():
        seen = counter[0]
        time.sleep(0.001)
        return seen

    def work(_):
        for _ in range(50):
            with lock:
                counter[0] += 1
                written = counter[0]
            assert shared.get("key", make) >= written

    at_once(work, 8)


def test_keys_do_not_wait_for_each_other():
    shared, inside = Shared(), threading.Barrier(2)
    assert at_once(lambda k: shared.get(k, lambda: inside.wait(10) is not None), 2) == [True, True]


def test_an_error_is_its_own_and_the_next_one_makes_it_again():
    shared, tries = Shared(), []

    def make():
        time.sleep(0.05)
        tries.append(None)
        if len(tries) == 1:
            raise ValueError("damaged")
        return "whole"

    def ask(_):
        try:
            return shared.get("key", make)
        except ValueError as error:
            return str(error)

    answers = at_once(ask, 4)
    assert sorted(answers) == ["damaged", "whole", "whole", "whole"]
    with pytest.raises(ZeroDivisionError):
        shared.get("key", lambda: 1 / 0)
    assert shared.get("key", lambda: 1) == 1


def test_a_cache_makes_what_many_ask_for_once():
    cache, made = BoundedCache(100), []

    def make():
        time.sleep(0.1)
        made.append(None)
        return b"x" * 10

    assert at_once(lambda _: cache.get("key", 1, make, len)) == [b"x" * 10] * N
    assert len(made) == 1
    cache.get("key", 2, make, len)
    assert len(made) == 2, "another version is another value"
