"""What others refuse of a user's settings, said as the user's to mend and under the name that the user gave."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
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


def refuse_data_for_settings(argv: list[str]) -> None:
    """``--data`` alone would be read as YAML, with an error about the bytes in it.

    Raises:
        UserError: a data file or a folder is named so.
    """
    for path in _values(argv, "--data"):
        if path.lower().endswith((".npz", ".pkl", ".pickle")) or os.path.isdir(path):
            raise UserError(
                f"--data takes a YAML file of settings; the data themselves are named by --data.path {path}"
            )


def refuse_no_checkpoint(argv: list[str]) -> None:
    """An evaluation without a checkpoint has no settings either, and would be told of those that are missing.

    Raises:
        UserError: neither a checkpoint that is there nor a configuration, which may name one, is given.
    """
    options = [word.partition("=")[0] for word in argv]
    asks = any(name in ("-h", "--print_config") or (name[:1] == "-" and name.endswith("help")) for name in options)
    if argv[0] == "fit" or asks or _values(argv, "-c") or _values(argv, "--config"):
        return
    named = _values(argv, "--ckpt_path")
    if not named or not Path(named[-1]).is_file():
        raise no_checkpoint(argv[0], named[-1] if named else None)


def no_checkpoint(command: str, path: str | None) -> UserError:
    """What to say where ``command`` needs a checkpoint and ``path`` is none."""
    if path is None:
        return UserError(f"{command} needs a trained model: --ckpt-path RUN/checkpoints/best.ckpt")
    return UserError(f"there is no checkpoint {path}")


def _values(argv: list[str], option: str) -> list[str]:
    """What ``option`` is given each time, as ``option value`` or ``option=value``."""
    pairs = [(word.partition("="), following) for word, following in pairwise([*argv, ""])]
    return [value if equals else following for (name, equals, value), following in pairs if name == option]
