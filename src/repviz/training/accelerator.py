"""What a network is trained on, where Lightning's own choice cannot be."""

import logging
from typing import Any

import torch

from repviz.errors import UserError

log = logging.getLogger("repviz")


def in_double_precision(accelerator: Any) -> Any:
    """The accelerator that was asked for, the processor where ``auto`` would take an Apple GPU.

    Metrics are sums in double precision, so that they are exact for any number of rows; Apple's GPUs have none.

    Raises:
        UserError: an Apple GPU is asked for by name.
    """
    apple = torch.backends.mps.is_available() and not torch.cuda.is_available()
    if accelerator == "mps" or (accelerator == "gpu" and apple):
        raise UserError(
            f"trainer.accelerator={accelerator}: Apple's GPUs have no double precision, in which metrics are summed; "
            "cpu trains on the processor"
        )
    if accelerator == "auto" and apple:
        log.info("trained on the processor: Apple's GPU has no double precision, in which metrics are summed")
        return "cpu"
    return accelerator
