"""What others refuse of a user's settings, said as the user's to mend and under the name that the user gave."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from repviz.errors import UserError

_QUOTED = re.compile(r"`(?:Trainer\()?(\w+)")
"""A setting in the trainer's own messages: `max_epochs`, `accelerator='gpu'`, `Trainer(devices=0)`."""


@contextmanager
def as_user_error() -> Iterator[None]:
    """Constructors refuse settings in many ways; the message names what was refused."""
    try:
        yield
    except UserError:
        raise
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise UserError(f"a setting cannot be used: {str(error).strip()}") from error
    except (RuntimeError, MemoryError) as error:  # a network larger than the memory, say
        raise UserError(f"a setting cannot be used: {(str(error).splitlines() or ['no memory'])[0][:300]}") from error


@contextmanager
def with_the_block_named(settings: Mapping[str, Any]) -> Iterator[None]:
    """The trainer speaks of its settings without the block that they are in."""
    try:
        yield
    except (TypeError, ValueError, MisconfigurationException) as error:
        quoted = _QUOTED.findall(str(error))
        if not (named := [name for name in quoted if name in settings]):
            raise
        raise UserError(f"trainer.{named[0]} cannot be used: {str(error).strip()}") from error
