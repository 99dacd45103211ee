"""A configuration cannot be mistyped silently: every key and every value of the shipped files, put wrong."""

import functools
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from lightning.pytorch import Trainer

from repviz.training.cli import RepvizCLI
from tests.conftest import ROOT
from tests.training.test_errors import mistake

BASE = ROOT / "configs" / "concat.yaml"
LAYERS = ("cluster", "diagnostics")
"""Folders of files that go on top of a configuration."""
HERE = ["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.num_nodes", "1"]
"""For files that ask for more than this machine may have."""
SHIPPED = sorted((ROOT / "configs").rglob("*.yaml"))
OF_ANOTHER_TYPE = {
    bool: ["perhaps", 3, 0.5, [True], {"a": True}],
    int: ["many", 1.5, [3], {"a": 3}],
    float: ["high", [0.1], {"a": 0.1}],
    str: [["a"], {"a": "b"}, 3.5],
    list: ["wide", {"a": 1}, [{"a": 1}], [1.5]],
    dict: [3, "text", [1], True],
}
"""Values that no setting takes whose shipped value is of the type."""
OUT_OF_RANGE = {
    "seed_everything": [-1, 2**32],
    "data.path": ["nowhere.npz", ""],
    "data.batch_size": [0, -5],
    "data.val_split": [-0.1, 1.0, 1.5],
    "data.seed": [-1],
    "model.hidden_dims": [[0], [-4], [512, 0]],
    "model.fusion": ["sum", "Film"],
    "model.label_smoothing": [-0.1, 1.0, 1.5],
    "trainer.max_epochs": [0, -5],
    "early_stopping.monitor": ["val_acuracy", "loss"],
    "early_stopping.patience": [0, -1],
    "projection.every_n_epochs": [0, -1],
    "projection.methods": [["tsne"], ["pca", "umpa"]],
    "landscape.every_n_epochs": [0, -1],
    "keep_checkpoints": [0, -1, "some"],
    "checkpoint_every_n_epochs": [0, -1],
    "diagnostics": ["sometimes", "Offline"],
}
OF_THE_MACHINE = {
    "trainer.devices": [0, -2, "nine"],
    "trainer.num_nodes": [0, -1],
    "trainer.precision": ["17", 17, "bf15-mixed"],
    "trainer.accelerator": ["warp"],
    "trainer.strategy": ["nope"],
    "runtime.float32_matmul_precision": ["ultra"],
}
"""Out of range on a machine without accelerators too, where the shipped values of these cannot be had."""


class Trained(Exception):
    """Training would have begun."""


@pytest.fixture
def one_parser(monkeypatch):
    """The command line's parser is made once, and training ends where it would begin, the data being read."""
    made: dict[str, Any] = {}
    setup = RepvizCLI.setup_parser

    def once(cli, *args, **kwargs):
        if not made:
            setup(cli, *args, **kwargs)
            made.update({name: value for name, value in vars(cli).items() if "parser" in name or "subcommand" in name})
        vars(cli).update(made)

    @functools.wraps(Trainer.fit)  # its parameters are options
    def fit(trainer, model, datamodule, **kwargs):
        datamodule.setup("fit")
        raise Trained

    monkeypatch.setattr(RepvizCLI, "setup_parser", once)
    monkeypatch.setattr(Trainer, "fit", fit)
    monkeypatch.chdir(ROOT)


def places(node: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    """Keys from the top to each entry, blocks and what is in them."""
    for key, value in node.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, *above, key)


def changed(node: dict[str, Any], place: tuple[str, ...], key: str, value: Any) -> dict[str, Any]:
    """``node`` with the entry at ``place`` called ``key`` and holding ``value``."""
    first, *rest = place
    return {
        (key if name == first and not rest else name): (
            old if name != first else changed(old, tuple(rest), key, value) if rest else value
        )
        for name, old in node.items()
    }


def at(node: dict[str, Any], place: tuple[str, ...]) -> Any:
    return functools.reduce(lambda inner, key: inner[key], place, node)


def misspelt(key: str) -> str:
    """Two letters change places, as fingers do it."""
    middle = len(key) // 2
    swapped = key[: middle - 1] + key[middle] + key[middle - 1] + key[middle + 1 :]
    return swapped if swapped != key else key[:middle] + key[middle + 1 :]


def fails(case: str, content: dict[str, Any], wanted: list[str], layer: bool, tmp_path, capsys) -> str | None:
    """What is not as it should be in how the command refuses ``content``; None where all is well."""
    path = tmp_path / "mistyped.yaml"
    path.write_text(yaml.safe_dump(content))
    below = ["--config", str(BASE)] if layer else []
    try:
        message = mistake(["fit", *below, "--config", str(path), "--runs-dir", str(tmp_path / "runs")], capsys)
    except Trained:
        return f"{case}: nothing was said and training began"
    except (Exception, pytest.fail.Exception) as error:
        return f"{case}: {type(error).__name__}: {str(error)[:500]}"
    missing = [words for words in wanted if words not in message]
    return f"{case}: {missing} is not said in {message}" if missing else None


def cases() -> Iterator[tuple[str, dict[str, Any], list[str], bool]]:
    """What is wrong, the file's content, what must be said, and whether the file is a layer on another."""
    valued = set()
    for path in SHIPPED:
        content, layer = yaml.safe_load(path.read_text()), path.parent.name in LAYERS
        for place in places(content):
            name, value = ".".join(place), at(content, place)
            wrong = misspelt(place[-1])
            # Of a block it is the first setting in it that is not known.
            right = f"Did you mean '{name}" + ("." if isinstance(value, dict) else "'?")
            yield f"{path.name} {name} as {wrong}", changed(content, place, wrong, value), [wrong, right], layer
            if name in valued:
                continue
            valued.add(name)
            for bad in OF_ANOTHER_TYPE[type(value)] + OUT_OF_RANGE.get(name, []):
                yield f"{path.name} {name}: {bad!r}", changed(content, place, place[-1], bad), [name], layer


def test_the_shipped_files_themselves_are_taken(one_parser, tmp_path):
    """Were they refused, the mistaken ones would be refused for the wrong reason."""
    from repviz.cli import main

    for path in SHIPPED:
        below = ["--config", str(BASE)] if path.parent.name in LAYERS else []
        with pytest.raises(Trained):
            main(["fit", *below, "--config", str(path), "--data.path", "data/packages_small.npz", *HERE])


def test_every_key_and_value_put_wrong_is_named(one_parser, tmp_path, capsys, times):
    known = list(cases())
    assert len(known) > 300
    chosen = random.Random(0).sample(known, times(20, len(known)))
    found = [fails(*case, tmp_path, capsys) for case in chosen]
    wrong = [failure for failure in found if failure]
    assert not wrong, "\n".join(wrong)
    assert not (tmp_path / "runs").exists()


def test_what_the_machine_is_asked_for_is_named(one_parser, tmp_path, capsys):
    found = []
    for name, values in OF_THE_MACHINE.items():
        block, key = name.split(".")
        for bad in values:
            content: dict[str, Any] = {"trainer": {"accelerator": "cpu"}}
            content.setdefault(block, {})[key] = bad
            found.append(fails(f"{name}: {bad!r}", content, [name], True, tmp_path, capsys))
    assert not (wrong := [failure for failure in found if failure]), "\n".join(wrong)
    assert not (tmp_path / "runs").exists()
