"""What repviz costs by size: points on a map, epochs of a run, classes, runs in the folder.

    python benchmarks/scale.py [--only points epochs classes runs] [--json scale.json] [--plot scale.png]

Everything is made without training. Times are of the processor (the server's in this process, the browser's of its main
thread with the calls that draw left out), so that a busy machine tells nearly the same. The bar of each line: an item
(a point, an epoch, a class, a run) costs at most twice as much at the largest size as at the size before it. Exits
with 1 when one is missed.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from scale_parts import classes, epochs, points, runs
from scale_parts.costs import MOST_GROWTH, Costs, Table

PARTS = {"points": points, "epochs": epochs, "classes": classes, "runs": runs}


def main() -> int:
    """Measure, print, write; 0 when the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    table = Table()
    for name in options.only:
        PARTS[name].measure(table)
    found = list(table.costs.values())
    for costs in found:
        print(line(costs), flush=True)
    if options.json:
        write_result(options.json, found)
    if options.plot:
        from scale_parts.plot import save

        save(options.plot, found)
    return 0 if all(costs.met for costs in found) else 1


def line(costs: Costs) -> str:
    """What it costs at each size, and its growth beside the bar."""
    values = "  ".join(f"{size:,}: {said(value, costs.unit)}" for size, value in costs.at.items())
    verdict = "met" if costs.met else "MISSED"
    growth = f"growth per {costs.item} {costs.growth:.2f}, at most {MOST_GROWTH:g}"
    return f"{costs.what:<40} {values}  {growth}: {verdict}"


def said(value: float, unit: str) -> str:
    """Seconds as milliseconds, bytes as kilobytes."""
    return f"{1000 * value:.3g} ms" if unit == "s" else f"{value / 1000:.3g} kB"


def write_result(path: Path, found: list[Costs]) -> None:
    """All numbers as JSON."""
    lines = [vars(costs) | {"growth": costs.growth, "met": costs.met} for costs in found]
    path.write_text(json.dumps({"most_growth": MOST_GROWTH, "costs": lines}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
