"""Loss landscape against one forward pass per grid point, side by side in one run.

    python benchmarks/landscape.py [--resolution 41] [--repeats 5] [--threads 1] [--ways]

1,024 points, 384-512-256-20. The first peer is a forward pass of all points per grid point on weights passed to
``functional_call`` (nothing is written or copied back); the second the usual loop, which writes the weights into a
copy of the model and runs over the points in batches of 128 as training does. All give the same losses within 1e-3.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from landscape_parts.ways import farthest, one_forward_per_point, repviz, scene, usual_loop
from report.arguments import arguments, sentence
from report.record import Record, Row, times
from repviz.diagnostics.weight_plane import ONE_BY_ONE, VMAP

N_POINTS, BATCH, BAR, SAME = 1024, 128, 4.0, 1e-3
OURS, PER_POINT, USUAL = "repviz", "a forward pass per grid point", f"a copy of the model, batches of {BATCH}"


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bar is met."""
    parser = arguments(__doc__)
    parser.add_argument("--resolution", type=int, default=41)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", action="store_true", help="also the two other ways of evaluation")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    seen = scene(options.resolution, N_POINTS)
    runs: dict[str, Callable[[], Tensor]] = {
        OURS: partial(repviz, seen),
        PER_POINT: partial(one_forward_per_point, seen),
        USUAL: partial(usual_loop, seen, BATCH),
    }
    if options.ways:
        runs |= {way: partial(repviz, seen, way) for way in (VMAP, ONE_BY_ONE)}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    losses = {}
    for _ in range(options.repeats):
        for name, run in runs.items():  # in turn, so that a busy moment hits all of them
            began = time.perf_counter()
            losses[name] = run()
            seconds[name].append(time.perf_counter() - began)
    grid = f"landscape {options.resolution} x {options.resolution}"
    conditions = {"points": f"{N_POINTS:,}", "torch threads": str(options.threads)}
    record = Record("landscape", "Landscape", sentence(__doc__), conditions)
    for name, found in seconds.items():
        if name != OURS:
            record.add(times(grid, seconds[OURS], found, peer=name, bar=BAR if name == PER_POINT else None))
    off = max(farthest(found, losses[PER_POINT]) for found in losses.values())
    record.add(Row("losses off those of a forward pass per point, at most", (off,), "of them", SAME, "most"))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
