"""What a run looks at: the network with its named layers and criterion, the fixed sample, the whole splits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from repviz.errors import UserError
from repviz.snapshot import Rows, Sample, Snapshot, capture

Criterion = Callable[[Tensor, Tensor], Tensor]

INPUT, LOGITS = "input", "logits"
WHOLE_MODULE = ""
"""Name of the module itself in ``named_modules``: its output are the logits."""
_SHOWN_NAMES = 40


@runtime_checkable
class NamesItsLayers(Protocol):
    """A module that says which of its parts are its layers, as ``EmbeddingClassifier`` does."""

    def sites(self) -> Mapping[str, nn.Module | None]:
        """Layer name to the module whose output it is; None stands for the first input."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Everything that a look needs besides weights and epoch; the same in this process, in another, or offline.

    Attributes:
        module: called as ``module(*inputs)``, gives logits.
        layers: layer name to the name in ``named_modules`` of the module whose output it is; None = first input.
        criterion: ``(logits, labels) -> loss``, the one that training uses; None where it is not known.
        sample: the fixed points.
        whole: the whole splits by name, as far as they are at hand.
    """

    module: nn.Module
    layers: Mapping[str, str | None]
    criterion: Criterion | None
    sample: Sample
    whole: Mapping[str, Rows] = field(default_factory=dict)

    def snapshot(self, epoch: int, step: int) -> Snapshot:
        """Run the sample through the module, which must be under ``observing``."""
        sites = {
            layer: None if name is None else self.module.get_submodule(name) for layer, name in self.layers.items()
        }
        activations, logits = capture(self.module, sites, self.sample.inputs)
        return Snapshot(epoch, step, self.sample, activations, logits, self.module, self.criterion, self.whole, sites)


def criterion_of(module: nn.Module) -> Criterion | None:
    """The loss of a module that keeps it where the field's modules do, in ``criterion``."""
    # No protocol asks this: from Python 3.12 on they do not see a module's submodules.
    found = getattr(module, "criterion", None)
    return found if callable(found) else None


def named_layers(module: nn.Module, asked: Iterable[str]) -> dict[str, str | None]:
    """The module's layers, and between them and the logits those that were asked for by their name in the module.

    Args:
        module: one that names its layers, or any other: then there are ``input``, what is asked for, and ``logits``.
        asked: names of layers, or names as in ``named_modules``.

    Raises:
        UserError: a name is neither.
    """
    names = {id(part): name for name, part in module.named_modules()}
    if isinstance(module, NamesItsLayers):
        found = {layer: None if part is None else names[id(part)] for layer, part in module.sites().items()}
    else:
        found = {INPUT: None, LOGITS: WHOLE_MODULE}
    known = dict(module.named_modules())
    logits = {LOGITS: found.pop(LOGITS)} if LOGITS in found else {}
    for name in asked:
        if name in found or name in logits:
            continue
        if name not in known or name == WHOLE_MODULE:
            there = [*found, *logits, *(other for other in known if other)]
            more = f" and {len(there) - _SHOWN_NAMES} more" if len(there) > _SHOWN_NAMES else ""
            raise UserError(f"the network has no layer {name!r}; it has {', '.join(there[:_SHOWN_NAMES])}{more}")
        found[name] = name
    return found | logits
