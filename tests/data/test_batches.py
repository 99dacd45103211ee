"""The order of rows: complete, disjoint between ranks, a function of seed and epoch."""

import pytest
import torch
from torch.utils.data import DataLoader

from repviz.data.batches import BatchDataset, BatchLoader, BatchOrder
from repviz.errors import DataError


def orders(n_rows: int, world_size: int, *, shuffle: bool, epoch: int = 0) -> list[list[int]]:
    found = []
    for rank in range(world_size):
        order = BatchOrder(n_rows, 7, shuffle=shuffle, seed=3, rank=rank, world_size=world_size)
        order.set_epoch(epoch)
        found.append(torch.cat(list(order)).tolist())
        assert len(list(order)) == len(order)
    return found


def test_one_rank_sees_every_row_once_in_another_order_each_epoch():
    first, second = orders(100, 1, shuffle=True)[0], orders(100, 1, shuffle=True, epoch=1)[0]
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first == orders(100, 1, shuffle=True)[0]


def test_seed_and_epoch_do_not_stand_in_for_each_other():
    def order(seed: int, epoch: int) -> list[int]:
        batches = BatchOrder(50, 50, shuffle=True, seed=seed)
        batches.set_epoch(epoch)
        return next(iter(batches)).tolist()

    assert order(1, 2) != order(2, 1)


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_training_ranks_get_equally_many_different_rows(world_size: int):
    shares = orders(101, world_size, shuffle=True)
    assert {len(share) for share in shares} == {101 // world_size}
    rows = [row for share in shares for row in share]
    assert len(set(rows)) == len(rows)


def test_the_rows_left_out_for_even_shares_change_from_epoch_to_epoch():
    left_out = [
        set(range(101)) - {row for share in orders(101, 2, shuffle=True, epoch=epoch) for row in share}
        for epoch in range(10)
    ]
    assert len(set.union(*left_out)) > 5


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_evaluation_is_sharded_without_padding(world_size: int):
    rows = [row for share in orders(101, world_size, shuffle=False) for row in share]
    assert sorted(rows) == list(range(101))


def test_more_ranks_than_rows_is_an_error():
    with pytest.raises(DataError, match="2 rows cannot be shared by 3 processes"):
        BatchOrder(2, 1, shuffle=False, rank=0, world_size=3)


@pytest.mark.parametrize("shuffle", [True, False])
def test_memory_and_streaming_loader_give_the_same_batches(shuffle: bool):
    x, y = torch.randn(50, 3), torch.arange(50)
    order = BatchOrder(50, 8, shuffle=shuffle, seed=1)
    memory = list(BatchLoader([x], y, order))
    stream = list(DataLoader(BatchDataset([x], y), sampler=order, batch_size=None))
    assert len(memory) == len(stream) == 7
    for ((a,), b), ((c,), d) in zip(memory, stream, strict=True):
        assert torch.equal(a, x[b])
        assert torch.equal(a, c)
        assert torch.equal(b, d)
