"""The body of the scripts that say what something costs by size: a row and a line in a plot for each cost."""

from collections.abc import Callable

from report.arguments import arguments, sentence
from report.record import Curve, Record, Row
from scale_parts.costs import MOST_GROWTH, Costs, Table

UNITS = {"s": ("processor time (ms)", 1e3), "B": ("size (kB)", 1e-3)}


def run(name: str, title: str, about: str, measure: Callable[[Table], None], argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met.

    Args:
        name: of the script.
        title: of its section.
        about: the script's docstring.
        measure: notes the costs.
        argv: options, those of the command line where not given.
    """
    options = arguments(about, repeats=None).parse_args(argv)
    record = Record(name, title, sentence(about), {"threads": "1"})
    table = Table()
    measure(table)
    found = list(table.costs.values())
    for costs in found:
        what = f"growth {'with each' if costs.recurring else 'per'} {costs.item}: {costs.what}, {at_sizes(costs)}"
        record.add(Row(what, (costs.growth,), "x", MOST_GROWTH, "most"))
    record.curves.extend(curves(found))
    return record.finish(options.results)


def at_sizes(costs: Costs) -> str:
    """What it costs at each size."""
    title, factor = UNITS[costs.unit]
    unit = title.partition("(")[2].rstrip(")")
    return ", ".join(f"{factor * value:.3g} {unit} at {size:,}" for size, value in sorted(costs.at.items()))


def curves(found: list[Costs]) -> list[Curve]:
    """One for each item and unit."""
    groups: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for costs in found:
        _, factor = UNITS[costs.unit]
        line = [(size, factor * value) for size, value in sorted(costs.at.items())]
        groups.setdefault((costs.item, costs.unit), {})[costs.what] = line
    return [
        Curve(f"Cost by {item}: {UNITS[unit][0]}", f"number of {item}", UNITS[unit][0], lines)
        for (item, unit), lines in groups.items()
    ]
