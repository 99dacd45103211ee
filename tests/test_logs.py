"""What is said goes to standard error as it is at the moment, and brings nobody down."""

import logging
import sys

import pytest

from repviz import logs


@pytest.fixture
def logger():
    name = "repviz_test_of_logs"
    logs.show(name)
    yield logging.getLogger(name)
    logging.getLogger(name).handlers = []


def test_a_line_goes_where_standard_error_leads_when_it_comes(logger, capsys):
    logger.info("epoch %d", 3)
    assert capsys.readouterr().err == "epoch 3\n"


def test_a_disk_that_is_full_takes_the_words_and_not_who_said_them(logger, monkeypatch):
    went_on = False
    with pytest.raises(OSError, match="No space left"), open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        logger.warning("the run cannot be written")
        logger.warning("nor this")
        went_on = True  # what closes the file raises
    assert went_on
