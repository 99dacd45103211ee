"""What more classes of as many points cost: the diagnostics that go by class, their figures, the overview.

    python benchmarks/scale_classes.py

Everything is made without training. Times are of the processor, so that a busy machine tells nearly the same. The bar
of each line: a class costs at most twice as much at the largest size as at the size before it.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from report.machine import inherit_orphans
from scale_parts import classes, growth


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met."""
    return growth.run("scale_classes", "Many classes", __doc__, classes.measure, argv)


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
