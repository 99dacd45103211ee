"""How much of the machine looking in the background may take, and what happens when it cannot keep up."""

from dataclasses import dataclass
from typing import Literal

from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class BackgroundSettings:
    """The worker programs beside training.

    Args:
        cpu_jobs: worker programs; the kinds are shared out among them.
        threads: of each worker, for all of its libraries.
        nice: how much the workers give way to training, 0 to 19.
        device: where the network is looked at, cuda or cuda:1 say; cpu leaves a GPU to training.
        queue_size: epochs that may wait before when_full applies.
        when_full: later keeps every epoch, on disk, for its turn, for the end of training or for 'repviz diagnose';
            wait makes training wait; skip leaves the epoch out and records that.
        time_limit: seconds that one diagnostic of one epoch may take before its worker is ended.
    """

    cpu_jobs: PositiveInt = 1
    threads: PositiveInt = 1
    nice: NonNegativeInt = 10
    device: str = "cpu"
    queue_size: PositiveInt = 4
    when_full: Literal["later", "wait", "skip"] = "later"
    time_limit: PositiveFloat = 3600.0
