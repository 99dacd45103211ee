"""The learning rate over training: linear warm-up, then cosine decay or a constant."""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from repviz.errors import UserError

Schedule = Literal["cosine", "constant"]


def learning_rate_factor(schedule: Schedule, warmup_steps: int, total_steps: float) -> Callable[[int], float]:
    """The factor on the learning rate as a picklable function of the step, for ``LambdaLR``.

    It has no state, so that a resumed run with another number of epochs follows the new settings.

    Args:
        schedule: ``cosine`` (to zero at ``total_steps``) or ``constant``.
        warmup_steps: steps of linear warm-up, 0 for none.
        total_steps: optimiser steps of the whole training; infinite only for ``constant``.

    Raises:
        UserError: a setting is out of its range, or a cosine is asked for without an end.
    """
    if schedule not in get_args(Schedule):
        raise UserError(f"model.schedule is {schedule!r}: choose one of {', '.join(get_args(Schedule))}")
    if warmup_steps < 0:
        raise UserError(f"warm-up is {warmup_steps} steps: it must be 0 or more")
    if schedule == "constant":
        return partial(constant_factor, warmup_steps=warmup_steps)
    if not math.isfinite(total_steps):
        raise UserError("model.schedule is 'cosine', but training has no end: set trainer.max_epochs, or 'constant'")
    return partial(cosine_factor, warmup_steps=warmup_steps, total_steps=int(total_steps))


def constant_factor(step: int, *, warmup_steps: int) -> float:
    """``(step + 1) / (warmup_steps + 1)`` while warming up, then 1; ``step`` counts from 0."""
    return min(1.0, (step + 1) / (warmup_steps + 1))


def cosine_factor(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Linear warm-up to 1 at ``warmup_steps``, then half a cosine to 0 at ``total_steps`` (Loshchilov & Hutter, 2017).

    A warm-up that is longer than the training is cut off by its end.
    """
    if step < warmup_steps:
        return constant_factor(step, warmup_steps=warmup_steps)
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
