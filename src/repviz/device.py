"""Where a network is looked at: a device by name, checked before anything is computed on it."""

import torch

from repviz.errors import UserError


def usable_device(name: str, setting: str) -> torch.device:
    """The device of this name.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1`` and the like; diagnostics compute in double precision, which Apple's GPUs
            have not.
        setting: what asked for it, for the message.

    Raises:
        UserError: it is no such name, or there is no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError:  # torch's own message lists all that it was ever built for
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"{setting}: {name!r} is not a device to look on; cpu, cuda and cuda:1 are")
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= there:
        gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        raise UserError(f"{setting}: this machine has no {name}, only {', '.join(['cpu', *gpus])}")
    return device
