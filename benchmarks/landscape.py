"""Loss landscape against one forward pass per grid point, side by side in one run.

    python benchmarks/landscape.py [--resolution 41] [--repeats 3] [--threads 1] [--ways]

1,024 points, 384-512-256-20. What is compared with: a forward pass of all points per grid point on weights passed to
``functional_call`` (nothing is written or copied back), and the usual loop, which writes the weights into a copy of
the model and runs over the points in batches of 128 as training does. All give the same numbers; each line says how
far off.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from repviz.diagnostics.filter_normalization import filter_normalized_directions
from repviz.diagnostics.weight_plane import ONE_BY_ONE, VMAP, Plane, losses_on_plane, plane_through
from repviz.model.mlp import MLP

N_POINTS, N_FEATURES, N_CLASSES, HIDDEN, BATCH = 1024, 384, 20, (512, 256), 128


def one_forward_per_point(model: nn.Module, x: Tensor, y: Tensor, plane: Plane, points: Tensor) -> Tensor:
    """All rows in one pass, weights handed over."""
    losses = []
    for a, b in points.tolist():
        moved = {name: plane.center[name] + a * plane.first[name] + b * plane.second[name] for name in plane.first}
        losses.append(nn.functional.cross_entropy(functional_call(model, moved, (x,)), y))
    return torch.stack(losses)


def usual_loop(model: nn.Module, x: Tensor, y: Tensor, plane: Plane, points: Tensor) -> Tensor:
    """Weights written into a copy, rows in batches."""
    moved, losses = copy.deepcopy(model), []
    parameters = dict(moved.named_parameters())
    for a, b in points.tolist():
        for name, first in plane.first.items():
            parameters[name].copy_(plane.center[name] + a * first + b * plane.second[name])
        batches = zip(x.split(BATCH), y.split(BATCH), strict=True)
        losses.append(sum(nn.functional.cross_entropy(moved(xs), ys, reduction="sum") for xs, ys in batches) / len(y))
    return torch.stack(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=41)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", action="store_true", help="also the two other ways of evaluation")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    model = MLP(N_FEATURES, N_CLASSES, HIDDEN).eval()
    x, y = torch.randn(N_POINTS, N_FEATURES), torch.randint(N_CLASSES, (N_POINTS,))
    plane = plane_through(model, *filter_normalized_directions(dict(model.named_parameters()), 0))
    steps = torch.linspace(-1, 1, asked.resolution, dtype=torch.float64)
    points = torch.cartesian_prod(steps, steps)
    criterion = nn.functional.cross_entropy

    def repviz(*ways: str) -> Tensor:
        return losses_on_plane(model, ((x,), y), criterion, plane, points, *([ways] if ways else []))[0]

    contestants: dict[str, Callable[[], Tensor]] = {
        "repviz": repviz,
        "one forward pass per grid point": lambda: one_forward_per_point(model, x, y, plane, points),
        f"copy of the model, batches of {BATCH}": lambda: usual_loop(model, x, y, plane, points),
    }
    if asked.ways:
        contestants |= {"repviz, vmap": lambda: repviz(VMAP), "repviz, one by one": lambda: repviz(ONE_BY_ONE)}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    losses = {}
    with torch.no_grad():
        for _ in range(asked.repeats):
            for name, run in contestants.items():  # in turn, so that a busy moment hits all of them
                start = time.perf_counter()
                losses[name] = run().double()
                seconds[name].append(time.perf_counter() - start)
    own = statistics.median(seconds["repviz"])
    grid = f"{asked.resolution} x {asked.resolution}"
    print(f"landscape {grid}, {N_POINTS} points, 384-512-256-20, {asked.threads} thread(s), {asked.repeats} repeats")
    for name, times in seconds.items():
        off = float(((losses[name] - losses["repviz"]) / losses["repviz"]).abs().max())
        middle = statistics.median(times)
        print(f"  {name:<38} {middle:7.2f} s  {middle / own:5.2f} x  losses within {off:.1e}")


if __name__ == "__main__":
    main()
