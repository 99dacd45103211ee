"""Blocks: complete, disjoint between ranks, mixed, a function of seed and epoch; batches are full."""

import threading

import numpy as np
import pytest
import torch

from repviz.data.blocks import BlockLoader, BlockOrder, ScaledRows, ahead, batches
from repviz.data.folder import FolderReader
from repviz.data.scaling import fit_scaling
from repviz.errors import DataError
from tests.reliability.interrupting import ends


def order(n_rows=1000, *, epoch=0, rank=0, world_size=1, shuffle=True, seed=3, block_rows=64, mixed_blocks=4):
    found = BlockOrder(
        n_rows, 32, block_rows=block_rows, mixed_blocks=mixed_blocks, shuffle=shuffle, seed=seed, rank=rank,
        world_size=world_size,
    )  # fmt: skip
    found.set_epoch(epoch)
    return found


@pytest.mark.parametrize("n_rows", [1, 5, 63, 64, 65, 1000])
@pytest.mark.parametrize("mixed_blocks", [1, 4, 100])
def test_every_row_comes_once(n_rows, mixed_blocks):
    assert sorted(order(n_rows, mixed_blocks=mixed_blocks).rows().tolist()) == list(range(n_rows))
    assert order(n_rows, shuffle=False).rows().tolist() == list(range(n_rows))


def test_the_order_is_a_function_of_seed_and_epoch():
    first = order().rows()
    assert torch.equal(first, order().rows())
    for other in (order(epoch=1), order(seed=4), order(seed=1, epoch=2)):
        assert (first == other.rows()).double().mean() < 0.05
    assert not torch.equal(order(seed=1, epoch=2).rows(), order(seed=2, epoch=1).rows())


def test_blocks_are_consecutive_rows_in_an_order_of_their_own():
    blocks = order().blocks()
    assert sorted((b.start, b.stop) for b in blocks) == [(s, min(s + 64, 1000)) for s in range(0, 1000, 64)]
    assert [b.start for b in blocks] != sorted(b.start for b in blocks)


def test_batches_mix_rows_of_many_blocks_and_a_block_is_spread_over_many_batches():
    rows = order(64 * 64, mixed_blocks=8).rows().reshape(-1, 32) // 64
    of_batch = [len(set(batch.tolist())) for batch in rows]
    assert np.median(of_batch) >= 8, "as many as lie in the pool"
    spread = [sum(int((batch == block).any()) for batch in rows) for block in range(64)]
    assert min(spread) >= 8
    unmixed = order(64 * 64, mixed_blocks=1).rows().reshape(-1, 32) // 64
    assert max(len(set(batch.tolist())) for batch in unmixed) <= 2


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_ranks_share_the_rows_as_they_do_in_memory(world_size):
    shares = [order(1001, rank=r, world_size=world_size).rows().tolist() for r in range(world_size)]
    assert {len(share) for share in shares} == {1001 // world_size}
    assert len({row for share in shares for row in share}) == 1001 // world_size * world_size
    ranks = [order(1001, rank=r, world_size=world_size, shuffle=False) for r in range(world_size)]
    assert sorted(row for one in ranks for row in one.rows().tolist()) == list(range(1001))
    for one in ranks:
        assert len(one) == -(-len(one.rows()) // 32)


def test_the_rows_left_out_for_even_shares_change_from_epoch_to_epoch():
    left_out = set()
    for epoch in range(20):
        left_out |= set(range(101)) - {
            row for r in (0, 1) for row in order(101, epoch=epoch, rank=r, world_size=2, block_rows=8).rows().tolist()
        }
    assert len(left_out) > 5
    with pytest.raises(DataError, match="2 rows cannot be shared by 3 processes"):
        order(2, world_size=3)


def loader(folder, **options) -> tuple[BlockLoader, torch.Tensor]:
    array = np.random.default_rng(0).normal(3, 2, size=(1000, 5)).astype(np.float32)
    np.save(folder / "X.npy", array)
    scaling = fit_scaling(array, "always")
    rows = ScaledRows(FolderReader(folder).stored("X", np.float32), scaling)
    chosen = options.pop("chosen", None)
    n_rows = 1000 if chosen is None else len(chosen)
    made = BlockLoader([rows], torch.arange(1000), order(n_rows, **options), chosen=chosen)
    return made, torch.from_numpy(scaling.apply(array))


@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_hold_the_scaled_rows_with_their_targets(tmp_path, shuffle):
    found, scaled = loader(tmp_path, shuffle=shuffle)
    made = list(found)
    assert [len(y) for _, y in made] == [32] * 31 + [8]
    assert len(found) == 32
    for (x,), y in made:
        assert torch.equal(x, scaled[y])
    assert torch.equal(torch.cat([y for _, y in made]), found.sampler.rows())


def test_only_the_chosen_rows_come(tmp_path):
    chosen = np.arange(1, 1000, 7)
    found, scaled = loader(tmp_path, shuffle=False, chosen=chosen)
    made = list(found)
    assert torch.cat([y for _, y in made]).tolist() == chosen.tolist()
    assert torch.equal(torch.cat([x for (x,), _ in made]), scaled[torch.from_numpy(chosen)])


@pytest.mark.parametrize("lengths", [[1000], [1] * 70, [31, 33, 0, 5], [32, 64], [7, 100, 3]])
def test_batches_are_full_whatever_the_parts(lengths):
    values = np.arange(sum(lengths))
    parts = iter([(part,) for part in np.split(values, np.cumsum(lengths)[:-1])])
    made = [x for (x,) in batches(parts, 32, torch.device("cpu"))]
    assert all(len(x) == 32 for x in made[:-1])
    assert torch.cat(made).tolist() == values.tolist()


def test_what_goes_wrong_while_reading_ahead_is_raised(tmp_path):
    found, _ = loader(tmp_path)
    (tmp_path / "X.npy").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        list(found)


def test_the_thread_ends_with_the_one_who_iterates():
    def threads():
        return [t for t in threading.enumerate() if t.name == "repviz-blocks"]

    iterator = ahead(iter(range(1000)))
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    assert len(threads()) == 1
    assert ends(iterator.close)
    assert threads() == []


def test_no_generator_of_the_process_is_drawn_from(tmp_path):
    found, _ = loader(tmp_path)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    list(found)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])
