"""What evaluating a checkpoint takes over from the settings of its run, which may be a stranger's."""

import logging
import re
from pathlib import Path
from typing import Any

import yaml

from repviz.errors import UserError
from repviz.store.config_file import read_config
from repviz.store.run_folder import CONFIG_FILE, run_of_checkpoint

log = logging.getLogger("repviz")

_BLOCKS = ("model", "data", "runtime")
_OF_TRAINER = ("accelerator", "strategy", "devices", "num_nodes", "precision", "deterministic", "inference_mode")
_WORD = re.compile(r"[\w-]+")


def with_settings_of_checkpoint(argv: list[str]) -> list[str]:
    """The command line of an evaluation with the settings of its checkpoint's run, unless others are named.

    Raises:
        UserError: the run has no settings that can be read.
    """
    named = any(word in ("-c", "--config") or word.startswith("--config=") for word in argv)
    if argv[0] == "fit" or named:
        return argv
    for position, word in enumerate(argv):
        path = word.partition("=")[2] or (argv[position + 1] if position + 1 < len(argv) else "")
        if word.split("=")[0] == "--ckpt_path" and (run_dir := run_of_checkpoint(Path(path))):
            config = run_dir / CONFIG_FILE
            if not config.exists():
                raise UserError(f"{run_dir} has no {CONFIG_FILE}: name the settings with --config")
            log.info("settings: %s", config)
            return [argv[0], "--config", settings_for_evaluation(config), *argv[1:]]
    return argv


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
