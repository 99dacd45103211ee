"""Where the processes of a training meet: to wait for rank zero, which writes alone, and to share what is to be looked
at.

Without it the others would wait in the next step's all-reduce, and a look that takes longer than the timeout of the
process group (30 minutes unless told otherwise) would end training.
"""

import contextlib
import datetime
import time
from typing import TypeVar

import torch
import torch.distributed as dist

_PATIENCE = datetime.timedelta(days=365)

Said = TypeVar("Said")


class Meeting:
    """Points that no rank passes before all have come; one process meets nobody.

    Every method is a collective: all ranks call it, in the same order, and never where errors are swallowed.

    Raises:
        RuntimeError: one of the ranks has gone.
    """

    def __init__(self) -> None:
        """On every rank at once: a group of its own is made, for its timeout is a group's."""
        several = dist.is_available() and dist.is_initialized()
        self.rank, self.ranks = (dist.get_rank(), dist.get_world_size()) if several else (0, 1)
        # On the CPU whatever training uses: a GPU's watchdog would end what waits this long.
        self._group = dist.new_group(backend="gloo", timeout=_PATIENCE) if self.ranks > 1 else None

    def largest(self, *numbers: int) -> list[int]:
        """The largest that any rank says, number by number."""
        found = torch.tensor(numbers, dtype=torch.int64)
        if self._group is not None:
            self._gather()
            dist.all_reduce(found, dist.ReduceOp.MAX, group=self._group)
        return found.tolist()

    def word_of_rank_zero(self, said: Said) -> Said:
        """What rank zero says; what the others say is not heard."""
        box = [said]
        if self._group is not None:
            self._gather()
            dist.broadcast_object_list(box, src=0, group=self._group)
        return box[0]

    def words(self, said: Said) -> list[Said]:
        """What every rank says, by rank."""
        found = [said] * self.ranks
        if self._group is not None:
            self._gather()
            dist.all_gather_object(found, said, group=self._group)
        return found

    def _gather(self) -> None:
        """Wait until all have come, such that signals are heard meanwhile."""
        work = dist.barrier(group=self._group, async_op=True)
        pause = 1e-5
        while not work.is_completed():
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        work.wait()

    def part(self, seconds: float) -> None:
        """Wait for the others at the very end, but no longer than that: one that has gone is not missed."""
        if self._group is not None:
            with contextlib.suppress(RuntimeError):
                dist.barrier(group=self._group, async_op=True).wait(datetime.timedelta(seconds=seconds))
