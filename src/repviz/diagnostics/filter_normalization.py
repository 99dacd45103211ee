"""Random directions in weight space that are filter-normalised (Li et al., 2018, arXiv:1712.09913) and steady.

A filter is what feeds one unit: a row of a linear layer's weight, a kernel of a convolution. Li et al. give each filter
of a random direction the norm of the weights' filter, because a ReLU network may do the same at any scale of a layer.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Direction = dict[str, Tensor]
"""Name of a parameter to its direction; a parameter that is not named stays where it is."""


def filter_normalized_directions(weights: Mapping[str, Tensor], seed: int) -> tuple[Direction, Direction]:
    """Two directions, each filter of which has the norm of the weights' filter and is orthogonal to the other's.

    The random part follows from the seed and the parameters' order and shapes alone; only its scale follows from the
    weights. Filters are made orthogonal one by one, so that the directions stay so whatever the scales: over a run
    they turn no more than the filters' norms change against each other. Biases and parameters of norms (one dimension)
    are left out, and a filter of zeros gets zeros: nothing is divided by a norm of the weights. A filter of a single
    weight has no second direction: zeros.

    Args:
        weights: the network's parameters by name.
        seed: of the random part.
    """
    generator = torch.Generator().manual_seed(seed)
    first: Direction = {}
    second: Direction = {}
    for name, weight in weights.items():
        if weight.ndim < 2 or not weight.is_floating_point():
            continue
        shape = (len(weight), weight[0].numel()) if len(weight) else (0, 0)
        one, two = torch.randn(2, *shape, generator=generator, dtype=torch.float64).unbind()
        two = two - (two * one).sum(1, keepdim=True) / one.square().sum(1, keepdim=True) * one
        norms = weight.detach().flatten(1).cpu().double().norm(dim=1)
        for direction, random in ((first, one), (second, two if shape[1] > 1 else torch.zeros_like(two))):
            scaled = random * (norms / random.norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny))[:, None]
            direction[name] = scaled.reshape(weight.shape).to(weight.device, weight.dtype)
    return first, second
