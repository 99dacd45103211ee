"""Batches of a split, as its rows are served: cut from tensors, by worker processes, or in blocks from the disk."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from repviz.data.batches import BatchDataset, BatchLoader, BatchOrder
from repviz.data.blocks import BlockLoader, BlockOrder, ScaledRows

Inputs = tuple[Tensor, ...] | tuple[ScaledRows, ...]
Loader = BatchLoader | BlockLoader | DataLoader
_RESIDENT_SHARE = 0.5
"""``device_resident: auto`` keeps the data on the device when it fills less of its free memory than this."""


@dataclass(frozen=True)
class Serving:
    """How rows are served, to one rank of a training.

    Attributes:
        loading: memory cuts batches from tensors; stream has worker processes do it; blocks reads from the disk.
        seed: of the order of training rows.
        rank: the process that is served.
        world_size: of how many.
        device: where the network is.
        device_resident: whether the data lies there too; auto: where it fits.
        num_workers: worker processes of ``stream``.
        prefetch_factor: batches that each of them prepares ahead.
        pin_memory: whether ``stream`` pins its batches.
        block_mib: size of a block, MiB.
        block_rows: rows of a block.
        mixed_blocks: blocks that lie in memory and are mixed.
    """

    loading: Literal["memory", "stream", "blocks"]
    seed: int
    rank: int
    world_size: int
    device: torch.device
    device_resident: Literal["auto", "always", "never"]
    num_workers: int
    prefetch_factor: int
    pin_memory: bool
    block_mib: int
    block_rows: int
    mixed_blocks: int

    def device_for(self, size: int) -> torch.device:
        """Where so many bytes are to lie: on the network's device, or the CPU."""
        if self.device.type != "cuda" or self.device_resident == "never":
            return torch.device("cpu")
        free, _ = torch.cuda.mem_get_info(self.device)
        fits = self.device_resident == "always" or size < _RESIDENT_SHARE * free
        return self.device if fits else torch.device("cpu")


def serve(
    inputs: Inputs,
    targets: Tensor,
    batch_size: int,
    *,
    shuffle: bool,
    serving: Serving,
    chosen: Tensor | None = None,
) -> Loader:
    """Batches of all rows, or of the chosen ones.

    Args:
        inputs: the model's positional arguments, each ``(n, ...)``.
        targets: ``(n,)``, what comes with each row.
        batch_size: rows per batch.
        shuffle: whether rows come in another order each epoch.
        serving: how.
        chosen: ``(m,)`` int64, rows.
    """
    n_rows = len(targets) if chosen is None else len(chosen)
    shares = {"shuffle": shuffle, "seed": serving.seed, "rank": serving.rank, "world_size": serving.world_size}
    if serving.loading == "blocks":
        blocks = {"block_rows": serving.block_rows, "mixed_blocks": serving.mixed_blocks}
        return BlockLoader(
            inputs,
            targets,
            BlockOrder(n_rows, batch_size, **blocks, **shares),
            chosen=None if chosen is None else chosen.numpy(),
            device=serving.device_for(serving.block_mib * 2**20),
        )
    if chosen is not None:
        inputs, targets = tuple(x[chosen] for x in inputs), targets[chosen]
    order = BatchOrder(n_rows, batch_size, **shares)
    if serving.loading == "stream":
        return DataLoader(
            BatchDataset(inputs, targets),
            sampler=order,
            batch_size=None,
            num_workers=serving.num_workers,
            prefetch_factor=serving.prefetch_factor if serving.num_workers else None,
            pin_memory=serving.pin_memory,
            persistent_workers=serving.num_workers > 0,
            # Without its own generator a DataLoader draws from the global one whenever it is iterated.
            generator=torch.Generator().manual_seed(serving.seed),
        )
    device = serving.device_for(sum(x.nbytes for x in inputs))
    return BatchLoader([x.to(device) for x in inputs], targets.to(device), order)
