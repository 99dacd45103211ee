"""What more points on one map cost: what is computed of them, their files and frames, a step in the browser.

    python benchmarks/scale_points.py

Everything is made without training. Times are of the processor (the browser's of its main thread, with the calls that
draw left out), so that a busy machine tells nearly the same. The bar of each line: a point costs at most twice as much
at the largest size as at the size before it.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from report.machine import inherit_orphans
from scale_parts import growth, points


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met."""
    return growth.run("scale_points", "Many points on one map", __doc__, points.measure, argv)


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
