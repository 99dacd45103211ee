"""A model's own forward pass at many points of a plane in weight space at once, its linear layers batched.

The batch is repeated once per point; what works row by row (activations, residuals, concatenation, FiLM) needs nothing
more, for it does not see the weights. Calls of ``linear`` and ``layer_norm`` are given each repetition's weights.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode


class NotBatchableError(Exception):
    """The model uses weights in another way than through ``linear`` and ``layer_norm``."""


class PlaneOfWeights(Protocol):
    """What is needed of a plane: see ``weight_plane.Plane``."""

    center: Any
    first: Any
    second: Any

    def weight(self, name: str, alpha: Tensor, beta: Tensor) -> Tensor: ...


class BatchedLayers:
    """Logits ``(g, n, n_classes)`` of fixed inputs at g points of a plane.

    Raises:
        NotBatchableError: on making or calling it; the model does not fit.
    """

    def __init__(self, model: nn.Module, plane: PlaneOfWeights, inputs: Sequence[Tensor]) -> None:
        """Args: the model in eval mode, the plane through its weights, its inputs, each ``(n, ...)``."""
        self.model = model
        self.plane = plane
        self.inputs = tuple(inputs)
        self.names = {id(p): name for name, p in model.named_parameters() if name in plane.first}
        self.constant = _calls_with_constant_input(model, plane, self.inputs)
        self.products: dict[int, Tensor] = {}
        self.repeated: tuple[Tensor, ...] = ()

    def __call__(self, alpha: Tensor, beta: Tensor) -> Tensor:
        """Logits at ``alpha``, ``beta``, each ``(g,)``."""
        g, n = len(alpha), len(self.inputs[0])
        if not self.repeated or len(self.repeated[0]) < g * n:
            self.repeated = tuple(x.repeat(g, *[1] * (x.ndim - 1)) for x in self.inputs)
        with _OwnWeights(self, alpha, beta):
            logits = self.model(*(x[: g * n] for x in self.repeated))
        if logits.ndim != 2 or len(logits) != g * n:
            raise NotBatchableError(f"{n} rows, {g} times over, gave an output {tuple(logits.shape)}")
        return logits.view(g, n, -1)

    def affine(self, call: int, x: Tensor, weight: str, bias: Tensor | None) -> Tensor:
        """Three products ``(3, n, ...)`` of an input ``x`` ``(n, ...)`` that is the same at every point, made once."""
        if call not in self.products:
            parts = [F.linear(x, along[weight]) for along in (self.plane.center, self.plane.first, self.plane.second)]
            if bias is not None:
                name = self.names.get(id(bias))
                parts[0] += bias if name is None else self.plane.center[name]
                if name is not None:
                    parts[1] += self.plane.first[name]
                    parts[2] += self.plane.second[name]
            self.products[call] = torch.stack(parts)
        return self.products[call]


class _OwnWeights(TorchFunctionMode):
    """Gives each repetition of the batch its own weights, for one forward pass."""

    def __init__(self, batched: BatchedLayers, alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.batched = batched
        self.names = batched.names
        self.point = alpha, beta
        self.coordinates = torch.stack([torch.ones_like(alpha), alpha, beta], dim=1)
        self.calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not _uses(self.names, (args, kwargs)):
            return func(*args, **kwargs)
        if func is F.linear:
            return self._linear(*args, **kwargs)
        if func is F.layer_norm:
            return self._layer_norm(*args, **kwargs)
        raise NotBatchableError(f"{getattr(func, '__name__', func)} uses weights that move")

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        call, g = self.calls, len(self.coordinates)
        self.calls += 1
        name = self.names.get(id(weight))
        if name is None:
            return self._shifted(F.linear(x, weight), bias)
        if self.batched.constant[call]:
            products = self.batched.affine(call, x[: len(x) // g], name, bias)
            mixed = self.coordinates.to(products) @ products.view(3, -1)
            return mixed.view(*x.shape[:-1], weight.shape[0])
        weights = self.batched.plane.weight(name, *self.point).transpose(1, 2)
        stacked = x.reshape(g, -1, x.shape[-1])
        if bias is None or id(bias) in self.names:
            out = torch.bmm(stacked, weights)
        else:
            out = torch.baddbmm(bias, stacked, weights)
        out = out.view(*x.shape[:-1], weight.shape[0])
        return self._shifted(out, bias) if id(bias) in self.names else out

    def _layer_norm(
        self, x: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:  # fmt: skip
        out = F.layer_norm(x, normalized_shape, None, None, eps)
        if weight is not None:
            out = out * weight if id(weight) not in self.names else self._by_point(torch.mul, out, weight)
        return self._shifted(out, bias)

    def _shifted(self, out: Tensor, bias: Tensor | None) -> Tensor:
        if bias is None:
            return out
        return out + bias if id(bias) not in self.names else self._by_point(torch.add, out, bias)

    def _by_point(self, operation: Callable[[Tensor, Tensor], Tensor], out: Tensor, parameter: Tensor) -> Tensor:
        """Each repetition with its own parameter, of the shape of the last dimensions of ``out``."""
        own = self.batched.plane.weight(self.names[id(parameter)], *self.point)
        g = len(own)
        return operation(out.reshape(g, -1, *parameter.shape), own.unsqueeze(1)).view(out.shape)


class _LinearInputs(TorchFunctionMode):
    """Notes of each ``linear`` with weights that move whether its input depends on such weights."""

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__()
        self.names = names
        self.constant: list[bool] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and _uses(self.names, (args, kwargs)):
            x = args[0] if args else kwargs["input"]
            self.constant.append(not x.requires_grad)
        return func(*args, **kwargs)


def _calls_with_constant_input(model: nn.Module, plane: PlaneOfWeights, inputs: tuple[Tensor, ...]) -> list[bool]:
    """Of the calls of ``linear`` in order, whether the input is the same wherever on the plane: autograd knows."""
    leaves = {name: plane.center[name].detach().clone().requires_grad_() for name in plane.first}
    names = {id(leaf): name for name, leaf in leaves.items()}
    with torch.enable_grad(), _LinearInputs(names) as seen:
        functional_call(model, leaves, tuple(x[:1] for x in inputs))
    return seen.constant


def _uses(names: dict[int, str], value: Any) -> bool:
    if isinstance(value, Tensor):
        return id(value) in names
    if isinstance(value, dict):
        return any(_uses(names, item) for item in value.values())
    return isinstance(value, (tuple, list)) and any(_uses(names, item) for item in value)
