"""A plane through a network's weights, and three ways to the losses on it."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from repviz.diagnostics.filter_normalization import filter_normalized_directions
from repviz.diagnostics.weight_plane import Plane, losses_on_plane, plane_through
from repviz.model.mlp import MLP

N_FEATURES, N_CLASSES, HIDDEN = 384, 20, (512, 256)
CRITERION = nn.functional.cross_entropy


@dataclass(frozen=True, eq=False)
class Scene:
    """What is evaluated.

    Attributes:
        model: in eval mode.
        x: ``(n, 384)``.
        y: ``(n,)``.
        plane: through the model's weights.
        points: ``(m, 2)`` float64 on the CPU, where on the plane.
    """

    model: nn.Module
    x: Tensor
    y: Tensor
    plane: Plane
    points: Tensor


def scene(resolution: int, n_points: int, device: str = "cpu") -> Scene:
    """384-512-256-20 with its untrained weights, random rows, filter-normalised directions, a square grid."""
    torch.manual_seed(0)
    model = MLP(N_FEATURES, N_CLASSES, HIDDEN).to(device).eval()
    x, y = torch.randn(n_points, N_FEATURES), torch.randint(N_CLASSES, (n_points,))
    plane = plane_through(model, *filter_normalized_directions(dict(model.named_parameters()), 0))
    steps = torch.linspace(-1, 1, resolution, dtype=torch.float64)
    return Scene(model, x.to(device), y.to(device), plane, torch.cartesian_prod(steps, steps))


def repviz(seen: Scene, *ways: str) -> Tensor:
    """As the diagnostic does it; ``ways`` restricts how."""
    rows = ((seen.x,), seen.y)
    return losses_on_plane(seen.model, rows, CRITERION, seen.plane, seen.points, *([ways] if ways else []))[0]


@torch.no_grad()
def one_forward_per_point(seen: Scene) -> Tensor:
    """All rows in one pass, the weights of each point handed over: nothing is written or copied back."""
    center, first, second = seen.plane
    losses = []
    for a, b in seen.points.tolist():
        moved = {name: center[name] + a * first[name] + b * second[name] for name in first}
        losses.append(CRITERION(functional_call(seen.model, moved, (seen.x,)), seen.y))
    return torch.stack(losses).double().cpu()


@torch.no_grad()
def usual_loop(seen: Scene, batch: int) -> Tensor:
    """Weights written into a copy of the model, rows in batches as training has them."""
    moved, losses = copy.deepcopy(seen.model), []
    parameters = dict(moved.named_parameters())
    center, first, second = seen.plane
    for a, b in seen.points.tolist():
        for name, direction in first.items():
            parameters[name].copy_(center[name] + a * direction + b * second[name])
        batches = zip(seen.x.split(batch), seen.y.split(batch), strict=True)
        losses.append(sum(CRITERION(moved(xs), ys, reduction="sum") for xs, ys in batches) / len(seen.y))
    return torch.stack(losses).double().cpu()


def farthest(found: Tensor, expected: Tensor) -> float:
    """How far losses are off, as a share of what they should be."""
    return float(((found - expected) / expected).abs().max())
