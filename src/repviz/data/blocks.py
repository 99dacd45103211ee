"""Batches from rows on the disk: blocks of consecutive rows are read in random order and mixed in a pool.

Reading single rows at random would cost a disk access each. Here rows are read some megabytes at a time. The blocks'
order is shuffled anew each epoch, and rows leave a pool of several blocks at random, so that the rows of a batch come
from all blocks that are in the pool, and a row may leave it with blocks that were read much later than its own.
"""

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from repviz.data.batches import Batch, BatchOrder, mixed_seed
from repviz.data.scaling import Scaling
from repviz.data.stored import StoredArray

Item = TypeVar("Item")
Arrays = tuple[np.ndarray, ...]
"""Arrays of equal length."""
Read = Callable[[slice], Arrays]
"""Gives consecutive rows."""


class ScaledRows:
    """Rows on the disk as the model takes them: ``scaled[rows]`` is a float32 tensor."""

    def __init__(self, array: StoredArray, scaling: Scaling) -> None:
        """Args: ``(n, n_columns)`` unscaled, and what scales them."""
        self.array = array
        self.scaling = scaling

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return self.array.nbytes

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: slice | Tensor | np.ndarray) -> Tensor:
        return torch.from_numpy(self.read(rows.numpy() if isinstance(rows, Tensor) else rows))

    def read(self, rows: slice | np.ndarray) -> np.ndarray:
        """``(n, n_columns)`` float32."""
        found = self.array[rows]
        return self.scaling.apply(found, out=found if self.scaling.applied else None)


class BlockOrder(BatchOrder):
    """In which blocks one rank reads its rows, and how it mixes them; a function of ``seed`` and the epoch alone.

    The blocks, in their order, are laid end to end and cut into one stretch per rank. Which rows are left out for equal
    shares, or which rank has one more, is as in ``BatchOrder``.
    """

    def __init__(
        self,
        n_rows: int,
        batch_size: int,
        *,
        block_rows: int,
        mixed_blocks: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Args: as of ``BatchOrder``, and rows per block and blocks in the pool.

        Raises:
            DataError: there are fewer rows than ranks.
        """
        super().__init__(n_rows, batch_size, shuffle=shuffle, seed=seed, rank=rank, world_size=world_size)
        self.block_rows = block_rows
        self.mixed_blocks = mixed_blocks

    def blocks(self) -> list[slice]:
        """This rank's stretches of consecutive rows, in the order in which the current epoch reads them."""
        starts = np.arange(0, self.n_rows, self.block_rows)
        share, over = divmod(self.n_rows, self.num_replicas)
        if self.shuffle:
            np.random.default_rng(self._epoch_seed).shuffle(starts)
            first, last = self.rank * share, (self.rank + 1) * share
        else:
            first = self.rank * share + min(self.rank, over)
            last = first + share + (self.rank < over)
        lengths = np.minimum(self.block_rows, self.n_rows - starts)
        shift = starts - (np.cumsum(lengths) - lengths)  # from the place in the row of blocks to the row of the data
        begin = np.maximum(starts - shift, first) + shift
        end = np.minimum(starts - shift + lengths, last) + shift
        return [slice(b, e) for b, e in zip(begin.tolist(), end.tolist(), strict=True) if b < e]

    def pieces(self, read: Read) -> Iterator[Arrays]:
        """What ``read`` gives for this rank's rows, in the order of the current epoch, in parts of any length."""
        if not self.shuffle:
            yield from map(read, self.blocks())
            return
        generator = np.random.default_rng((self._epoch_seed, self.rank))
        blocks = self.blocks()
        capacity = min(self.mixed_blocks * self.block_rows, sum(block.stop - block.start for block in blocks))
        pool: Arrays | None = None
        held, free = np.empty(0, np.int64), np.arange(capacity)
        for block in blocks:
            found = read(block)
            n = len(found[0])
            if pool is None:
                pool = tuple(np.empty((capacity, *x.shape[1:]), x.dtype) for x in found)
            leaving = len(held) + n - capacity
            if leaving > 0:
                generator.shuffle(held)
                yield tuple(x[held[:leaving]] for x in pool)
                free, held = np.concatenate([free, held[:leaving]]), held[leaving:]
            for x, rows in zip(pool, found, strict=True):
                x[free[:n]] = rows
            held, free = np.concatenate([held, free[:n]]), free[n:]
        generator.shuffle(held)
        for start in range(0, len(held), self.block_rows):
            yield tuple(x[held[start : start + self.block_rows]] for x in pool)

    def rows(self) -> Tensor:
        """``(n,)`` int64: this rank's rows in the order of the current epoch."""
        parts = [part for (part,) in self.pieces(lambda block: (np.arange(block.start, block.stop),))]
        return torch.from_numpy(np.concatenate(parts))

    @property
    def _epoch_seed(self) -> int:
        return mixed_seed(self.seed, self.epoch)


class BlockLoader:
    """Iterates over batches of rows on the disk; a thread reads, scales and mixes ahead of them."""

    def __init__(
        self,
        inputs: Sequence[ScaledRows],
        targets: Tensor,
        order: BlockOrder,
        *,
        chosen: np.ndarray | None = None,
        device: torch.device | None = None,
    ) -> None:
        """Args:
        inputs: the model's positional arguments.
        targets: ``(n,)``, in memory.
        order: of the rows, or of the chosen ones.
        chosen: ``(n_chosen,)``, ascending: which rows come at all; None for all of them.
        device: where the batches are to lie; parts go there as a whole.
        """
        self.inputs = tuple(inputs)
        self.targets = targets.numpy()
        self.sampler = order
        self.batch_sampler = None  # Lightning looks for it wherever there is a sampler
        self._chosen = chosen
        self._device = torch.device("cpu") if device is None else device

    def __iter__(self) -> Iterator[Batch]:
        for *inputs, targets in batches(ahead(self.sampler.pieces(self._read)), self.sampler.batch_size, self._device):
            yield tuple(inputs), targets

    def __len__(self) -> int:
        return len(self.sampler)

    def _read(self, block: slice) -> Arrays:
        rows = block if self._chosen is None else self._chosen[block]
        return (*(x.read(rows) for x in self.inputs), self.targets[rows])


def batches(pieces: Iterator[Arrays], size: int, device: torch.device) -> Iterator[list[Tensor]]:
    """Tensors of ``size`` rows each, the last ones perhaps fewer, of parts of any length."""
    rest: list[Tensor] = []
    for piece in pieces:
        tensors, start = [torch.from_numpy(x).to(device) for x in piece], 0
        if rest:
            start = size - len(rest[0])
            rest = [torch.cat([a, b[:start]]) for a, b in zip(rest, tensors, strict=True)]
            if len(rest[0]) < size:
                continue
            yield rest
        n_rows = len(tensors[0])
        whole = start + max(0, n_rows - start) // size * size
        for at in range(start, whole, size):
            yield [x[at : at + size] for x in tensors]
        rest = [x[whole:].clone() for x in tensors] if whole < n_rows else []
    if rest:
        yield rest


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made by a thread while the one before is in use; what goes wrong there is raised here.

    Ctrl-C may end this at any moment: the two queues are of the kind that it leaves as they were.
    """
    ready: SimpleQueue[tuple[str, Item | BaseException | None]] = SimpleQueue()
    wanted: SimpleQueue[None] = SimpleQueue()
    over = False

    def work() -> None:
        try:
            for item in items:
                wanted.get()
                if over:
                    return
                ready.put(("item", item))
                del item  # or it would lie in memory while the next one is made
            ready.put(("end", None))
        except BaseException as error:
            ready.put(("error", error))

    thread = Thread(target=work, name="repviz-blocks", daemon=True)
    thread.start()
    try:
        wanted.put(None)
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            wanted.put(None)
            yield value
            del value  # or it would lie in memory until the next one has come
    finally:
        over = True
        wanted.put(None)
        thread.join()
