"""Reading most pickled tables in this process."""

import pytest

from repviz.data import pickles
from repviz.data.pickle_frames import read_frame
from repviz.data.pickle_names import RefusedPickle
from repviz.data.unpickling import PickledTable, TableUnpickler, read_table


@pytest.fixture
def in_process(monkeypatch):
    """Spare most tables the child process; what it would refuse still goes there, for its error."""

    def read_here(path, wanted, *, trust_pickle=False):
        try:
            if trust_pickle:
                raise RefusedPickle
            with path.open("rb") as file:
                names, columns = read_frame(TableUnpickler(file).load(), wanted)
        except RefusedPickle:
            return read_table(path, wanted, trust_pickle=trust_pickle)
        return PickledTable(tuple(names), columns)

    monkeypatch.setattr(pickles, "read_table", read_here)
