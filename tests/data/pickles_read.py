"""Reading the pickled tables of a folder, and the one error that bad ones are."""

import pytest

from repviz.data.pickles import read_pickles
from repviz.errors import DataError


def read(folder, **settings):
    return read_pickles(folder, cache=False, **settings)


def error(folder, **settings):
    with pytest.raises(DataError) as caught:
        read(folder, **settings)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert message.count("\n") <= 2
    assert "trust_pickle" not in message
    return message
