"""The list of lines that ``make mutations`` breaks is one of these sources and tests."""

import pytest

from tests.conftest import ROOT
from tests.mutations.__main__ import run
from tests.mutations.lines import MUTATIONS
from tests.mutations.mutation import Mutation, misfits


def test_every_line_occurs_once_and_every_test_is_there():
    assert misfits(MUTATIONS, ROOT) == []


def test_a_list_that_no_longer_fits_is_told(tmp_path):
    (tmp_path / "file.py").write_text("twice twice")
    (tmp_path / "test_it.py").write_text("def test_there():\n    pass\n")
    gone = Mutation("gone", "file.py", "once", "", "test_it.py::test_there[of-it]")
    twice = Mutation("twice", "file.py", "twice", "", "test_it.py")
    untested = Mutation("untested", "file.py", " ", "", "test_it.py::test_ther other.py")
    found = misfits([gone, twice, untested, Mutation("same", "file.py", " ", " ", "test_it.py"), gone], tmp_path)
    assert found == [
        "two mutations are called gone",
        "gone: its text occurs 0 times in file.py, not once: 'once'",
        "twice: its text occurs 2 times in file.py, not once: 'twice'",
        "untested: there is no test_it.py::test_ther",
        "untested: there is no other.py",
        "same changes nothing",
        "gone: its text occurs 0 times in file.py, not once: 'once'",
    ]


@pytest.mark.parametrize(("code", "status"), [(1, 0), (0, 1), (2, 1), (5, 1), (None, 1)])
def test_only_tests_that_fail_have_noticed(code, status, tmp_path, capsys):
    class Copy:
        root, codes = tmp_path, [0, code]

        def run(self, *arguments, seconds):
            return self.codes.pop(0), "FAILED tests/test_it.py::test_there[a b] - because\n"

        def write(self, file, text):
            (tmp_path / file).write_text(text)

    (tmp_path / "file.py").write_text("line")
    assert run([Mutation("one", "file.py", "line", "", "tests/test_it.py")], [Copy()]) == status
    assert (tmp_path / "file.py").read_text() == "line"
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("one ")
    assert said[1].endswith("tests/test_it.py::test_there[a b]")
    assert ("not so one" in said[2]) == bool(status)
