"""How often files are mutated: a little with ``make test``, as often as it is promised with ``make soak``."""

from tests.reliability.conftest import times  # noqa: F401
