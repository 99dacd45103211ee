"""The few numbers that sum up a dataset, under names that a logger takes."""

import math
from collections.abc import Sequence
from itertools import product
from typing import ClassVar

import xarray as xr


class KeyNumbers:
    """What a diagnostic has to say in single numbers: it names variables, and may compute others from its dataset."""

    kind: ClassVar[str]
    key_variables: ClassVar[tuple[str, ...]] = ()
    """Variables that ``key_numbers`` reads; empty = there are none to be logged."""

    def key_numbers(self, dataset: xr.Dataset) -> dict[str, float]:
        """Finite numbers by name, as ``probe/penultimate/accuracy``.

        Args:
            dataset: with ``key_variables`` at least.

        Raises:
            KeyError: one of them is not there.
        """
        numbers = labelled_numbers(dataset, self.key_variables)
        return {f"{self.kind}/{name}": number for name, number in numbers.items()}


def labelled_numbers(dataset: xr.Dataset, names: Sequence[str]) -> dict[str, float]:
    """The numbers in some variables: ``penultimate/accuracy`` where ``accuracy`` has a dimension ``layer``.

    A dimension whose coordinates are texts gives a number for each of them; over every other dimension the mean is
    taken, without NaN. What is not finite is left out: a logger has gaps as ``metrics.csv`` has.

    Raises:
        KeyError: a variable is not there.
    """
    found = {}
    for name in names:
        values = dataset[name]
        if not values.size:
            continue
        spelled = [dim for dim in values.dims if dim in dataset.coords and dataset[dim].dtype.kind == "U"]
        means = values.mean([dim for dim in values.dims if dim not in spelled]).transpose(*spelled)
        labels = product(*(dataset[dim].values for dim in spelled))
        for label, number in zip(labels, means.values.ravel(), strict=True):
            if math.isfinite(number):
                found["/".join([*map(str, label), name])] = float(number)
    return found
