"""What every diagnostic keeps to, whoever wrote it: checks that take a diagnostic and a snapshot."""

import dataclasses
import importlib
import inspect
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from repviz.diagnostics.diagnostic import Diagnostic, Earlier, RunDiagnostic
from repviz.figures.registry import figure_of
from repviz.figures.view import View
from repviz.model.classifier import EmbeddingClassifier
from repviz.snapshot import Rows, Sample, Snapshot, capture, observing
from repviz.store.artifacts import read_artifact, write_artifact


def real_data(path: Path, n_train: int, n_val: int, n_excluded: int) -> tuple[dict[str, Rows], Sample]:
    """Rows of the real sample by split, and all of them as the fixed sample; excluded ones have no class."""
    splits, sizes = ("train", "val", "excl"), (n_train, n_val, n_excluded)
    rows = {}
    with np.load(path) as data:
        names = ("X_train_embed", "X_val_embed", "X_excl")
        for split, name, size in zip(splits, names, sizes, strict=True):
            embeddings = torch.from_numpy(data[name][:size].astype(np.float32))
            tabular = torch.from_numpy(np.sign(data[f"financial_{split}"][:size]))
            labels = torch.from_numpy(data[f"y_{split}"][:size]) if split != "excl" else torch.full((size,), -1)
            rows[split] = Rows((embeddings, tabular), labels)
        classes = tuple(str(name) for name in data["classes"])
    sample = Sample(
        inputs=tuple(torch.cat([part.inputs[k] for part in rows.values()]) for k in (0, 1)),
        labels=torch.cat([part.labels for part in rows.values()]).numpy(),
        split=np.repeat(np.arange(3, dtype=np.int8), sizes),
        index=np.concatenate([np.arange(size) for size in sizes]),
        ids=np.array([f"p{k}" for k in range(sum(sizes))]),
        classes=classes,
    )
    return {"train": rows["train"], "val": rows["val"], "excluded": rows["excl"]}, sample


def make_network() -> EmbeddingClassifier:
    """A tiny network of every kind of part there is: LayerNorm, dropout, FiLM, a residual; in train mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EmbeddingClassifier(
            hidden_dims=(24, 16), fusion="film", residual=True, n_features=384, n_tabular=10, n_classes=20
        ).train()


def train(network: nn.Module, rows: Rows, steps: int) -> None:
    """A few steps, so that an epoch differs from the one before."""
    optimizer = torch.optim.SGD(network.parameters(), 0.5)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(*rows.inputs), rows.labels).backward()
            optimizer.step()
    optimizer.zero_grad()


@contextmanager
def looking(
    network: EmbeddingClassifier, sample: Sample, whole: Mapping[str, Rows], epoch: int = 0
) -> Iterator[Snapshot]:
    """A snapshot, for as long as the network is being observed."""
    with observing(network):
        sites = network.sites()
        activations, logits = capture(network, sites, sample.inputs)
        yield Snapshot(epoch, 10 * epoch, sample, activations, logits, network, network.criterion, whole, sites)


def part_of(sample: Sample, rows: np.ndarray, labels: np.ndarray | None = None) -> Sample:
    """Some points of a sample, with other labels where they are given."""
    return dataclasses.replace(
        sample,
        inputs=tuple(x[torch.from_numpy(rows)] for x in sample.inputs),
        labels=sample.labels[rows] if labels is None else labels,
        split=sample.split[rows],
        index=sample.index[rows],
        ids=sample.ids[rows],
    )


def check_settings(diagnostic_class: type[Diagnostic] | type[RunDiagnostic]) -> None:
    """Every setting has a default, a real type and a line of help; the class is frozen and says its kind."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", diagnostic_class.kind)
    assert isinstance(diagnostic_class.version, int)
    if issubclass(diagnostic_class, Diagnostic):
        assert diagnostic_class.chain in ("none", "first", "previous", "both")
    assert diagnostic_class.__dataclass_params__.frozen
    attributes = (inspect.getdoc(diagnostic_class) or "").partition("Attributes:")[2]
    for field in dataclasses.fields(diagnostic_class):
        assert field.default is not dataclasses.MISSING, f"{field.name} has no default"
        assert not isinstance(field.type, str), f"the type of {field.name} is a text"
        assert re.search(rf"^\s+{field.name}: \S", attributes, re.MULTILINE), f"{field.name} is not under Attributes"


def check_looks_only(diagnostic: Diagnostic, snapshot: Snapshot, earlier: Earlier) -> xr.Dataset:
    """Neither model, nor snapshot, nor any global random generator is other than before; gives the dataset."""
    return check_leaves_alone(snapshot, lambda: diagnostic.compute(snapshot, earlier))


def check_leaves_alone(snapshot: Snapshot, compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    """The same of any computation on the snapshot."""
    before = _state(snapshot)
    dataset = compute()
    after = _state(snapshot)
    for name, value in before.items():
        assert _same(value, after[name]), f"{name} changed"
    return dataset


def check_labelled(dataset: xr.Dataset) -> None:
    """Named dimensions throughout, a long name and units on every number, nothing that files cannot hold."""
    assert dataset.data_vars
    for name, variable in dataset.data_vars.items():
        assert not any(re.fullmatch(r"dim_\d+", str(dim)) for dim in variable.dims), f"{name}: {variable.dims}"
        assert variable.dtype.kind in "biufU", f"{name} is {variable.dtype}"
        if variable.dtype.kind != "U":
            assert variable.attrs.get("long_name"), f"{name} has no long_name"


def check_survives_the_disk(
    diagnostic: Diagnostic | RunDiagnostic, dataset: xr.Dataset, folder: Path, epoch: int = 0
) -> xr.Dataset:
    """What is read is what was written, to the bit, the dtype and the attribute; gives what was read."""
    write_artifact(folder, diagnostic.kind, epoch, dataset, step=0, version=diagnostic.version)
    found = read_artifact(folder, diagnostic.kind, epoch)
    assert set(found.variables) == set(dataset.variables)
    for name, variable in dataset.variables.items():
        there = found.variables[name]
        assert there.dims == variable.dims, name
        assert there.dtype.kind == variable.dtype.kind, f"{name}: {variable.dtype} became {there.dtype}"
        assert variable.dtype.kind == "U" or there.dtype == variable.dtype, f"{name}: {there.dtype}"
        np.testing.assert_array_equal(there.values, variable.values, err_msg=str(name))
        assert set(there.attrs) == set(variable.attrs), name
    return found


def check_key_numbers(diagnostic: Diagnostic | RunDiagnostic, dataset: xr.Dataset) -> dict[str, float]:
    """Its variables for loggers are there, and give finite numbers under its kind; gives them."""
    numbers = diagnostic.key_numbers(dataset)
    assert bool(diagnostic.key_variables) or not numbers
    for name, number in numbers.items():
        assert name.split("/")[0] == diagnostic.kind
        assert type(number) is float
        assert np.isfinite(number), name
    return numbers


def check_draws(kind: str, dataset: xr.Dataset) -> None:
    """Its picture has something in it, in either theme, and is plain enough to be sent to a page."""
    for theme in ("light", "dark"):
        drawn = figure_of(kind)(dataset, View(theme=theme))
        assert drawn.data
        assert drawn.to_json()


def check_draws_over_epochs(kind: str, datasets: list[xr.Dataset]) -> None:
    """The picture over all epochs, where there is one, takes what ``Run.history`` gives."""
    module = importlib.import_module(figure_of(kind).__module__)
    if "over_epochs" in vars(module):
        history = xr.concat(
            datasets, xr.Variable("epoch", range(len(datasets))), combine_attrs="drop_conflicts", join="outer"
        )
        drawn = module.over_epochs(history, View())
        assert drawn.data
        assert drawn.to_json()


def _state(snapshot: Snapshot) -> dict[str, object]:
    """Everything that a look must leave alone."""
    found: dict[str, object] = {
        "random": random.getstate(),
        "numpy.random": np.random.get_state(),
        "torch's random state": torch.get_rng_state(),
        "default dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "logits": snapshot.logits.clone(),
        "labels": snapshot.sample.labels.copy(),
        "split": snapshot.sample.split.copy(),
    }
    found |= {f"activations of {name}": points.clone() for name, points in snapshot.activations.items()}
    found |= {f"input {k}": x.clone() for k, x in enumerate(snapshot.sample.inputs)}
    for name, rows in snapshot.whole.items():
        found |= {f"{name} input {k}": x.clone() for k, x in enumerate(rows.inputs)}
        found[f"{name} labels"] = rows.labels.clone()
    for name, value in snapshot.model.state_dict().items():
        found[name] = value.clone()
    for name, parameter in snapshot.model.named_parameters():
        found[f"{name} as an object"] = id(parameter), parameter.requires_grad, parameter.grad is None
    for name, module in snapshot.model.named_modules():
        found[f"mode of {name}"] = module.training
        found[f"hooks of {name}"] = len(module._forward_hooks), len(module._forward_pre_hooks)
    return found


def _same(one: object, other: object) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return one == other
