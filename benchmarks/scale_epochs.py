"""What more epochs of a run cost: what lists them, draws them, and follows them while they are written.

    python benchmarks/scale_epochs.py

Everything is made without training. Times are of the processor, so that a busy machine tells nearly the same. The bar
of each line: an epoch costs at most twice as much at the largest size as at the size before it; what is done again at
every epoch ("with each epoch") must as a whole cost at most twice as much.
"""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from report.machine import inherit_orphans
from scale_parts import epochs, growth


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when the bars are met."""
    return growth.run("scale_epochs", "Many epochs of a run", __doc__, epochs.measure, argv)


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
