"""``loss-landscapes``: its plane, its losses, and the same points for repviz."""

import copy

import loss_landscapes
import torch
from loss_landscapes.metrics import Loss
from loss_landscapes.model_interface.model_parameters import orthogonal_to, rand_u_like
from loss_landscapes.model_interface.model_wrapper import wrap_model
from torch import Tensor

from landscape_parts.ways import CRITERION, Scene, scene
from repviz.diagnostics.weight_plane import plane_through

NORMALIZATION = "model"
"""By filter, as repviz does it by itself, the package divides by zero at the biases of a new LayerNorm."""
_SEED = 0


def theirs(seen: Scene, resolution: int) -> Tensor:
    """The package's ``random_plane``: ``(resolution, resolution)`` losses."""
    torch.manual_seed(_SEED)
    model = copy.deepcopy(seen.model)
    metric = Loss(CRITERION, seen.x, seen.y)
    found = loss_landscapes.random_plane(model, metric, distance=1, steps=resolution, normalization=NORMALIZATION)
    return torch.from_numpy(found)


def same_plane(resolution: int, n_points: int) -> Scene:
    """The scene of benchmarks/landscape.py with the package's directions, drawn by its own functions, and its points.

    The package counts the second coordinate from 1 in every other row of the grid.
    """
    seen = scene(resolution, n_points)
    torch.manual_seed(_SEED)
    start = wrap_model(copy.deepcopy(seen.model)).get_module_parameters()
    first = rand_u_like(start)
    second = orthogonal_to(first)
    names = [name for name, _ in seen.model.named_parameters()]
    directions = []
    for direction in (first, second):
        direction.model_normalize_(start)
        direction.mul_(start.model_norm() / resolution / direction.model_norm())
        directions.append({name: direction[k].detach() for k, name in enumerate(names)})
    plane = plane_through(seen.model, *directions)
    half = resolution / 2
    points = [(i - half, j + (i % 2 == 0) - half) for i in range(resolution) for j in range(resolution)]
    return Scene(seen.model, seen.x, seen.y, plane, torch.tensor(points, dtype=torch.float64))
