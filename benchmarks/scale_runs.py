"""What more runs in the folder cost: the list of runs, the page of all runs, and what an open page asks for.

    python benchmarks/scale_runs.py

Everything is made without training. Times are of the processor, so that a busy machine tells nearly the same. The bar
of each line: a run costs at most twice as much at the largest size as at the size before it.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from report.machine import inherit_orphans
from scale_parts import growth, runs


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met."""
    return growth.run("scale_runs", "Many runs in the folder", __doc__, runs.measure, argv)


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
