"""The network: a multilayer perceptron on embeddings, with three ways of taking in tabular features."""

from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from repviz.errors import UserError

Fusion = Literal["concat", "film", "none"]
Activation = Literal["relu", "gelu"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
_CONDITIONING_WIDTH = 64


class FiLM(nn.Module):
    """Feature-wise scale and shift of one block, predicted from the tabular columns (Perez et al., 2018).

    The last layer starts at zero, so that gamma = beta = 0 and the block starts as if there were no fusion.
    """

    def __init__(self, n_tabular: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_tabular, _CONDITIONING_WIDTH)
        self.activation = nn.ReLU()
        self.output = nn.Linear(_CONDITIONING_WIDTH, 2 * width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, tabular: Tensor) -> tuple[Tensor, Tensor]:
        """Gamma and beta, each ``(n, width)``, of tabular columns ``(n, n_tabular)``."""
        gamma, beta = self.output(self.activation(self.hidden(tabular))).chunk(2, dim=1)
        return gamma, beta


class Block(nn.Module):
    """Linear, LayerNorm, FiLM, activation, dropout; with ``residual`` the block's input is added at the end.

    FiLM sits between norm and activation, where Perez et al. put it: a shift can then switch a unit on or off.
    The module's output is what the next layer receives, so a forward hook sees it whole (in eval mode dropout does
    nothing).
    """

    def __init__(
        self, n_in: int, width: int, activation: Activation, layer_norm: bool, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, width)
        self.norm = nn.LayerNorm(width) if layer_norm else nn.Identity()
        self.activation = _ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = nn.Identity() if n_in == width else nn.Linear(n_in, width, bias=False)

    def forward(self, inputs: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Map ``(n, n_in)`` to ``(n, width)``; ``modulation`` is gamma and beta, each ``(n, width)``."""
        x = self.norm(self.linear(inputs))
        if modulation is not None:
            gamma, beta = modulation
            x = x * (1 + gamma) + beta
        x = self.dropout(self.activation(x))
        return x if self.shortcut is None else x + self.shortcut(inputs)


class MLP(nn.Module):
    """Multilayer perceptron on embeddings, optionally fused with tabular columns.

    Args:
        n_features: width of the embeddings.
        n_classes: number of classes, at least 2.
        hidden_dims: width of each block; empty for a plain (multinomial) logistic regression.
        n_tabular: number of tabular columns, 0 where there are none.
        fusion: ``concat`` appends the tabular columns to the embeddings at the input; ``film`` scales and shifts
            every block by ``x * (1 + gamma) + beta`` with gamma and beta from the columns; ``none`` ignores them.
        activation: ``relu`` or ``gelu``.
        layer_norm: LayerNorm after each block's linear layer.
        dropout: probability in [0, 1) of dropping a unit at the end of each block.
        residual: add each block's input to its output, through a linear projection where the widths differ.

    Raises:
        UserError: a setting is out of its range, or fusion is asked for where there is nothing to fuse.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        hidden_dims: Sequence[int] = (512, 256),
        n_tabular: int = 0,
        fusion: Fusion = "none",
        activation: Activation = "relu",
        layer_norm: bool = True,
        dropout: float = 0.1,
        residual: bool = False,
    ) -> None:
        super().__init__()
        _check_sizes(n_features, n_classes, hidden_dims, n_tabular)
        _check_choices(fusion, activation, dropout)
        _check_fusion(fusion, n_tabular, hidden_dims)
        self.fusion = fusion
        widths = [n_features + (n_tabular if fusion == "concat" else 0), *hidden_dims]
        self.blocks = nn.ModuleList(
            Block(n_in, width, activation, layer_norm, dropout, residual) for n_in, width in pairwise(widths)
        )
        self.head = nn.Linear(widths[-1], n_classes)
        # Made last: with one seed, a FiLM network has the very weights of the unfused one.
        self.films = nn.ModuleList(FiLM(n_tabular, width) for width in hidden_dims if fusion == "film")

    def forward(self, embeddings: Tensor, tabular: Tensor | None = None) -> Tensor:
        """Logits ``(n, n_classes)`` of embeddings ``(n, n_features)`` and tabular columns ``(n, n_tabular)``.

        ``tabular`` is needed by ``concat`` and ``film``, and ignored by ``none``.
        """
        x = torch.cat((embeddings, tabular), dim=1) if self.fusion == "concat" else embeddings
        for block, modulation in zip_longest(self.blocks, self.film_parameters(tabular)):
            x = block(x, modulation)
        return self.head(x)

    def film_parameters(self, tabular: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Gamma and beta of each block, each ``(n, width)``; an empty list without FiLM."""
        return [film(tabular) for film in self.films]

    def sites(self) -> dict[str, nn.Module | None]:
        """The module whose output is each named layer, from input to logits; None stands for the embeddings.

        ``penultimate`` is the last block, the same module as ``blockN``; without blocks it is the input. The input
        is the embedding alone, also where ``concat`` appends tabular columns to it.
        """
        blocks = {f"block{k}": block for k, block in enumerate(self.blocks, start=1)}
        last = self.blocks[-1] if len(self.blocks) else None
        return {"input": None, **blocks, "penultimate": last, "logits": self.head}


def _check_sizes(n_features: int, n_classes: int, hidden_dims: Sequence[int], n_tabular: int) -> None:
    if n_features < 1:
        raise UserError(f"n_features is {n_features}: the embeddings must have at least one column")
    if n_classes < 2:
        raise UserError(f"n_classes is {n_classes}: a classifier needs at least two classes")
    if n_tabular < 0:
        raise UserError(f"n_tabular is {n_tabular}: the number of tabular columns is 0 or more")
    if any(width < 1 for width in hidden_dims):
        raise UserError(
            f"model.hidden_dims is {list(hidden_dims)}: every width must be 1 or more "
            "(an empty list gives a logistic regression)"
        )


def _check_choices(fusion: str, activation: str, dropout: float) -> None:
    for setting, value, choices in (("fusion", fusion, Fusion), ("activation", activation, Activation)):
        if value not in get_args(choices):
            raise UserError(f"model.{setting} is {value!r}: choose one of {', '.join(get_args(choices))}")
    if not 0 <= dropout < 1:
        raise UserError(f"model.dropout is {dropout}: it is a probability, from 0 up to, but not including, 1")


def _check_fusion(fusion: str, n_tabular: int, hidden_dims: Sequence[int]) -> None:
    if fusion != "none" and n_tabular == 0:
        raise UserError(
            f"model.fusion is {fusion!r}, but there are no tabular columns to fuse: data.use_tabular is false or the "
            "data has none. Set model.fusion to none and data.use_tabular to false, as configs/embeddings.yaml does, "
            "or give data with tabular columns"
        )
    if fusion == "film" and not hidden_dims:
        raise UserError(
            "model.fusion is 'film', but model.hidden_dims is empty: FiLM modulates blocks and there are none. "
            "Give at least one width, or set model.fusion to concat"
        )
