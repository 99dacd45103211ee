"""Activations of the sample and logits as they are: what diagnostics look at later without running the network."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import xarray as xr
from torch import Tensor

from repviz.diagnostics.diagnostic import NOTHING_EARLIER, Diagnostic, Earlier, Mode
from repviz.diagnostics.layers import unique
from repviz.errors import UserError
from repviz.snapshot import Sample, Snapshot

INPUT, LOGITS = "input", "logits"


@dataclass(frozen=True)
class Activations(Diagnostic):
    """Every layer's activations on the sample, float32, and the logits; the input is not kept, for the data has it.

    In its own mode, offline, it is kept while training, and only where other diagnostics wait for 'repviz diagnose'.

    Attributes:
        layers: which layers; all of the network's when not given.
    """

    kind: ClassVar[str] = "activations"
    version: ClassVar[int] = 1
    on_by_default: ClassVar[bool] = True
    mode_by_default: ClassVar[Mode] = "offline"
    needs_model: ClassVar[bool] = False

    layers: tuple[str, ...] | None = None

    def compute(self, snapshot: Snapshot, earlier: Earlier = NOTHING_EARLIER) -> xr.Dataset:
        """The activations of one epoch; names of one tensor are kept once, the others in the attribute ``aliases``.

        Raises:
            UserError: a layer is asked for that the network has not.
        """
        missing = set(self.layers or ()) - set(snapshot.layers)
        if missing:
            raise UserError(f"activations.layers: the network has no layer {', '.join(sorted(missing))}")
        wanted = {
            name: points for name, points in snapshot.activations.items() if name in (self.layers or snapshot.layers)
        }
        own = {id(points): name for name, points in reversed(unique(wanted).items())}
        variables: dict[str, Any] = {
            name: (("sample", f"unit_{name}"), _numpy(points), {"long_name": f"activations of {name}", "units": "1"})
            for name, points in unique(wanted).items()
            if name not in (INPUT, LOGITS)
        }
        variables[LOGITS] = (("sample", "class"), _numpy(snapshot.logits), {"long_name": "logits", "units": "1"})
        aliases = [f"{name}={own[id(points)]}" for name, points in wanted.items() if own[id(points)] != name]
        return xr.Dataset(variables, attrs={"layers": " ".join(wanted), "aliases": " ".join(aliases)})


def snapshot_of(dataset: xr.Dataset, sample: Sample, epoch: int, step: int) -> Snapshot:
    """The snapshot that the dataset was made of, without the model.

    Raises:
        ValueError: it is of another sample.
    """
    if dataset.sizes["sample"] != len(sample):
        raise ValueError(f"the activations are of {dataset.sizes['sample']} points, the sample has {len(sample)}")
    aliases = dict(pair.split("=") for pair in dataset.attrs["aliases"].split())
    logits = torch.from_numpy(dataset[LOGITS].values)
    known: dict[str, Tensor] = {INPUT: sample.inputs[0].flatten(1).float(), LOGITS: logits}
    activations: dict[str, Tensor] = {}
    for layer in dataset.attrs["layers"].split():
        name = aliases.get(layer, layer)
        if name not in known:
            known[name] = torch.from_numpy(dataset[name].values)
        activations[layer] = known[name]
    return Snapshot(epoch, step, sample, activations, logits)


def _numpy(values: Tensor) -> Any:
    return values.detach().cpu().numpy()
