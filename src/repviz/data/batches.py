"""Batches sliced from tensors in memory, and the order in which their rows come.

A row-by-row Dataset spends most of a small step on collating; here a batch is one gather per tensor.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from repviz.errors import DataError

Batch = tuple[tuple[Tensor, ...], Tensor]
"""``(inputs, targets)``; the inputs are the model's positional arguments."""


class BatchOrder(DistributedSampler):
    """The rows of each batch of one epoch, for one rank.

    Shuffled, the order follows from ``seed`` and the epoch alone, so a resumed run goes on as if it had not stopped,
    and every rank gets equally many rows: at most ``world_size - 1`` rows, other ones each epoch, are left out.
    In sequence, no row is left out and none comes twice, so ranks may differ by a row.

    It is a ``DistributedSampler`` so that Lightning calls ``set_epoch`` and does not put its own in its place.
    """

    def __init__(
        self, n_rows: int, batch_size: int, *, shuffle: bool, seed: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        """Args: rows in all, rows per batch and rank, whether and from what seed to shuffle, which rank of how many.

        Raises:
            DataError: there are fewer rows than ranks.
        """
        if n_rows < world_size:
            raise DataError(f"{n_rows} rows cannot be shared by {world_size} processes; use at most {n_rows} devices")
        # The base class wants a dataset only for its length.
        super().__init__(range(n_rows), world_size, rank, shuffle, seed, drop_last=shuffle)
        self.n_rows = n_rows
        self.batch_size = batch_size

    def rows(self) -> Tensor:
        """``(n,)`` int64: this rank's rows in the order of the current epoch."""
        if not self.shuffle:
            return torch.arange(self.rank, self.n_rows, self.num_replicas)
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, self.epoch))
        order = torch.randperm(self.n_rows, generator=generator)
        equal = self.n_rows // self.num_replicas * self.num_replicas
        return order[self.rank : equal : self.num_replicas]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.rows().split(self.batch_size))

    def __len__(self) -> int:
        rows = self.n_rows // self.num_replicas
        if not self.shuffle:
            rows += self.rank < self.n_rows % self.num_replicas
        return -(-rows // self.batch_size)


class BatchLoader:
    """Iterates over batches of tensors that lie in memory, or on the device."""

    def __init__(self, inputs: Sequence[Tensor], targets: Tensor, order: BatchOrder) -> None:
        self.inputs = tuple(inputs)
        self.targets = targets
        self.sampler = order
        self.batch_sampler = None  # Lightning looks for it wherever there is a sampler

    def __iter__(self) -> Iterator[Batch]:
        device = self.targets.device
        if not self.sampler.shuffle and self.sampler.num_replicas == 1:
            yield from self._slices()
            return
        rows = self.sampler.rows().to(device)
        for index in rows.split(self.sampler.batch_size):
            yield tuple(x.index_select(0, index) for x in self.inputs), self.targets.index_select(0, index)

    def _slices(self) -> Iterator[Batch]:
        """In sequence on one rank a batch is a view: nothing is copied."""
        size = self.sampler.batch_size
        for start in range(0, len(self.targets), size):
            stop = start + size
            yield tuple(x[start:stop] for x in self.inputs), self.targets[start:stop]

    def __len__(self) -> int:
        return len(self.sampler)


class BatchDataset(Dataset):
    """The same tensors behind a ``DataLoader`` with workers: an item is a whole batch, given its rows."""

    def __init__(self, inputs: Sequence[Tensor], targets: Tensor) -> None:
        self.inputs = tuple(inputs)
        self.targets = targets

    def __getitem__(self, index: Tensor) -> Batch:
        return tuple(x[index] for x in self.inputs), self.targets[index]

    def __len__(self) -> int:
        return len(self.targets)


def mixed_seed(seed: int, epoch: int) -> int:
    """One seed from two, such that (1, 2) and (2, 1) do not meet (splitmix64's finaliser)."""
    mask = (1 << 64) - 1
    value = (seed * 0x9E3779B97F4A7C15 + epoch + 1) & mask
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) & mask
    return (value ^ (value >> 31)) >> 1
