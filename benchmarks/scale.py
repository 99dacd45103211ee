"""What repviz costs by size: points on a map, epochs of a run, classes, runs in the folder.

    python benchmarks/scale.py [--only points epochs classes runs]

Everything is made without training. Times are of the processor (the server's in this process, the browser's of its main
thread with the calls that draw left out), so that a busy machine tells nearly the same. The bar of each line: an item
(a point, an epoch, a class, a run) costs at most twice as much at the largest size as at the size before it. What
is done again at every epoch ("with each epoch") must as a whole cost at most twice as much.
"""

import os
import sys

from report.arguments import arguments, sentence
from report.machine import inherit_orphans
from report.record import Curve, Record, Row
from scale_parts import classes, epochs, points, runs
from scale_parts.costs import MOST_GROWTH, Costs, Table

PARTS = {"points": points, "epochs": epochs, "classes": classes, "runs": runs}
UNITS = {"s": ("processor time (ms)", 1e3), "B": ("size (kB)", 1e-3)}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met."""
    parser = arguments(__doc__, repeats=None)
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS])
    options = parser.parse_args(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    record = Record("scale", "Many points, epochs, classes, runs", sentence(__doc__), {"threads": "1"})
    table = Table()
    for name in options.only:
        PARTS[name].measure(table)
    found = list(table.costs.values())
    for costs in found:
        record.add(
            Row(
                f"growth {'with each' if costs.recurring else 'per'} {costs.item}: {costs.what}, {at_sizes(costs)}",
                (costs.growth,),
                "x",
                MOST_GROWTH,
                "most",
            )
        )
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
        groups.setdefault((costs.item.strip(), costs.unit), {})[costs.what] = line
    return [
        Curve(f"Cost by {item}: {UNITS[unit][0]}", f"number of {item}", UNITS[unit][0], lines)
        for (item, unit), lines in groups.items()
    ]


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
