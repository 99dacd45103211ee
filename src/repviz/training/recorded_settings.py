"""What evaluating a checkpoint takes over from the settings of its run, which may be a stranger's."""

import re
from pathlib import Path
from typing import Any

import yaml

from repviz.store.config_file import read_config

_BLOCKS = ("model", "data", "runtime")
_OF_TRAINER = ("accelerator", "strategy", "devices", "num_nodes", "precision", "deterministic", "inference_mode")
_WORD = re.compile(r"[\w-]+")


def settings_for_evaluation(path: Path) -> str:
    """YAML of the settings that say which network, which data and what machine, without any that names a class.

    Loggers, callbacks, plugins and profilers of the trainer are left out, for each is a class that would be imported
    and made; so is what lets code in a pickle run. Who wants them gives them on the command line.

    Args:
        path: ``config.yaml`` of a run.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: it is no configuration.
    """
    config = read_config(path)
    found: dict[str, Any] = {name: config[name] for name in ("seed_everything", *_BLOCKS) if name in config}
    trainer = config.get("trainer")
    if isinstance(trainer, dict):
        found["trainer"] = {name: trainer[name] for name in _OF_TRAINER if _is_plain(trainer.get(name))}
    if isinstance(found.get("data"), dict):
        found["data"] = {name: value for name, value in found["data"].items() if name != "trust_pickle"}
    return yaml.safe_dump(found)


def _is_plain(value: Any) -> bool:
    """Whether it is a number, or a word that is no path to a class."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(_WORD.fullmatch(value)))
