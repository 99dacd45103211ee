"""What something costs by size, and whether the cost of each item stays the same."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_GROWTH = 2.0
"""How much more an item may cost at the largest size than at the middle one."""


@dataclass
class Costs:
    """Of one thing, by size.

    Attributes:
        what: is done.
        item: what there is more of from size to size.
        unit: "s" (of the processor) or "B".
        recurring: it is done again for each item, as at the end of every epoch: then the whole of it must not grow.
        at: cost by number of items.
    """

    what: str
    item: str
    unit: str
    recurring: bool = False
    at: dict[int, float] = field(default_factory=dict)

    @property
    def growth(self) -> float:
        """Cost of an item at the largest size by that at the size before it; of what recurs, each time's cost."""
        (fewer, before), (more, after) = sorted(self.at.items())[-2:]
        return after / before if self.recurring else (after / more) / (before / fewer)

    @property
    def met(self) -> bool:
        """Whether the bar is met."""
        return self.growth <= MOST_GROWTH


class Table:
    """The costs of everything measured, in the order in which it was first measured."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.costs: dict[str, Costs] = {}

    def note(self, what: str, item: str, size: int, value: float, unit: str = "s", *, recurring: bool = False) -> None:
        """One cost at one size."""
        self.costs.setdefault(f"{item}: {what}", Costs(what, item, unit, recurring)).at[size] = value

    def time(
        self,
        what: str,
        item: str,
        size: int,
        act: Callable[[], object],
        repeats: int = 3,
        *,
        recurring: bool = False,
    ) -> None:
        """The least processor time, of all threads of this process, of some calls of ``act``."""
        self.note(what, item, size, min(_processor_seconds(act) for _ in range(repeats)), recurring=recurring)


def _processor_seconds(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began
