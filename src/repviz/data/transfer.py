"""Whether a batch has to be moved to the device, and by whom."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor


def has_transfer_of_its_own(module: LightningModule) -> bool:
    """Whether the module moves batches in another way than Lightning does."""
    return type(module).transfer_batch_to_device is not LightningModule.transfer_batch_to_device


def lies_on(batch: Any, device: torch.device) -> bool:
    """Whether it is a batch of ``(inputs, targets)`` all of which lie there; another's loader may give anything."""
    match batch:
        case (tuple() as inputs, targets):
            return all(isinstance(part, Tensor) and part.device == device for part in (*inputs, targets))
    return False
