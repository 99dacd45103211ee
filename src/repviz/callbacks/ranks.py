"""Waiting for rank zero, which looks and writes alone, for as long as that takes.

Without it the others would wait in the next step's all-reduce, and a look that takes longer than the timeout of the
process group (30 minutes unless told otherwise) would end training.
"""

import datetime

import torch.distributed as dist

_PATIENCE = datetime.timedelta(days=365)


class Meeting:
    """A point that no rank passes before all have come; one process meets nobody."""

    def __init__(self) -> None:
        """On every rank at once: a group of its own is made, for its timeout is a group's."""
        ranks = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
        # On the CPU whatever training uses: a GPU's watchdog would end what waits this long.
        self._group = dist.new_group(backend="gloo", timeout=_PATIENCE) if ranks > 1 else None

    def wait(self) -> None:
        """Wait for all; never where errors are swallowed.

        Raises:
            RuntimeError: one of them has gone.
        """
        if self._group is not None:
            dist.barrier(group=self._group)
