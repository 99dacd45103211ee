"""``repviz import-embeddings``: activations that any training loop has saved become a run, looked at like any other."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from repviz.callbacks.looking import look_at
from repviz.callbacks.sample import describe, describe_unit_order
from repviz.data.npy_file import NpyFile
from repviz.data.npz_members import NpzReader
from repviz.diagnostics.registry import diagnostic_classes
from repviz.diagnostics.units import unit_order
from repviz.errors import UserError
from repviz.sampling import stratified_indices
from repviz.snapshot import SPLIT_NAMES, Sample, Snapshot
from repviz.store import artifacts, run_folder
from repviz.store.metrics_table import write_metrics
from repviz.store.sample_file import write_sample
from repviz.version import __version__

log = logging.getLogger("repviz")

ENDINGS = (".npy", ".npz")
LOGITS = "logits"
ONLY_LAYER = "activations"
"""Name of the layer in a file that holds one array."""
KINDS = ("projection", "probe", "similarity", "geometry", "dynamics")
NEED_LOGITS = ("geometry", "dynamics")
VAL_SHARE = 0.2


class Points(NamedTuple):
    """What is known of the rows of every file.

    Attributes:
        sample: labels, split, ids and classes; its inputs are empty, for nobody runs a network.
        texts: ``(n,)`` unicode, None where there are none.
    """

    sample: Sample
    texts: np.ndarray | None


def import_embeddings(
    files: Sequence[Path], labels: Path, runs_dir: Path, *, only: Sequence[str] | None = None, seed: int = 0
) -> Path:
    """Make a run of saved activations.

    Args:
        files: one per epoch, ``.npz`` with a ``(n, units)`` array per layer, or ``.npy`` with one; or folders of them.
            The epoch is the last number in a file's name. An array called ``logits`` is taken for them.
        labels: ``.npy`` with ``(n,)`` labels, or ``.npz`` with ``labels`` and, where known, ``split`` (0 train, 1 val,
            2 excluded), ``ids``, ``texts`` and ``classes``.
        runs_dir: folder of the runs.
        only: kinds; default: projection, probe, similarity and, where there are logits, geometry and dynamics.
        seed: of the split, where none is given: a fifth of each class is val.

    Returns:
        the run.

    Raises:
        UserError: a file cannot be used, or a diagnostic failed (the others are computed all the same).
    """
    by_epoch = files_by_epoch(files)
    points = read_points(labels, seed)
    first = read_layers(by_epoch[min(by_epoch)], len(points.sample))
    due = _diagnostics(only, LOGITS in first)
    run_dir = run_folder.claim(runs_dir)
    sample = replace(points.sample, unit_order=unit_order(_snapshot(min(by_epoch), points.sample, first).activations))
    described = describe(sample).merge(describe_unit_order(sample.unit_order))
    if points.texts is not None:
        described["text"] = ("sample", points.texts)
    write_sample(run_dir, described)
    content = _description(sample, files, labels, list(first), [d.kind for d in due], max(by_epoch))
    run_folder.write_run_file(run_dir, content)
    rows: list[dict[str, float]] = []
    computed = 0
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for epoch, path in progress.track(sorted(by_epoch.items()), description="importing"):
                layers = read_layers(path, len(sample), expected=list(first))
                rows.append({"epoch": epoch, "step": epoch} | scores(layers.get(LOGITS), sample))
                write_metrics(run_dir, rows)
                computed += look_at(_snapshot(epoch, sample, layers), due, run_dir)
    except BaseException as error:
        run_folder.write_run_file(run_dir, content | {"state": "failed", "error": str(error)})
        raise
    run_folder.write_run_file(run_dir, content | {"state": "finished", "ended": artifacts.now()})
    if computed < len(due) * len(by_epoch):
        failed = len(due) * len(by_epoch) - computed
        raise UserError(f"{failed} diagnostics failed; the reasons are in {run_dir / artifacts.ARTIFACTS}")
    return run_dir


def files_by_epoch(files: Sequence[Path]) -> dict[int, Path]:
    """Files by the last number in their names; folders give the files in them.

    Raises:
        UserError: there is none, a name has no number, or two have the same.
    """
    found: dict[int, Path] = {}
    for given in map(Path, files):
        inside = sorted(p for p in given.iterdir() if p.suffix in ENDINGS) if given.is_dir() else [given]
        for path in inside:
            numbers = re.findall(r"\d+", path.stem)
            if not path.is_file() or path.suffix not in ENDINGS:
                raise UserError(f"{path} is not a file that ends in {' or '.join(ENDINGS)}")
            if not numbers:
                raise UserError(f"{path}: its name has no number to take for the epoch; call it epoch_003{path.suffix}")
            epoch = int(numbers[-1])
            if epoch in found:
                raise UserError(f"{found[epoch]} and {path} are both of epoch {epoch}, the last number in their names")
            found[epoch] = path
    if not found:
        raise UserError(f"there is no {' or '.join(ENDINGS)} file in {', '.join(map(str, files))}")
    return found


def read_layers(path: Path, n: int, expected: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Float32 ``(n, units)`` by layer, in the order of the file.

    Raises:
        UserError: it cannot be read, has other layers than ``expected``, other rows than ``n``, or no finite numbers.
    """
    arrays = _read(path)
    if expected is not None and set(arrays) != set(expected):
        raise UserError(f"{path} has the layers {', '.join(arrays)}; the first epoch has {', '.join(expected)}")
    for name, values in arrays.items():
        if values.ndim < 2 or len(values) != n or values.dtype.kind not in "fiu":
            shape = "x".join(map(str, values.shape))
            raise UserError(f"{path}: {name} is {values.dtype} {shape}; numbers of shape {n}xunits are expected")
        if not np.isfinite(values).all():
            raise UserError(f"{path}: {name} has values that are not finite")
    return {name: arrays[name].reshape(n, -1).astype(np.float32) for name in expected or arrays}


def read_points(path: Path, seed: int) -> Points:
    """Labels and what else ``path`` says of the rows; a class that is a text becomes a number.

    Raises:
        UserError: it cannot be read, has no labels, or something in it does not fit them.
    """
    arrays = _read(path)
    if "labels" not in arrays and len(arrays) > 1:
        raise UserError(f"{path} has {', '.join(arrays)}; an array called labels is expected")
    given = arrays.get("labels", next(iter(arrays.values())))
    n = len(given) if given.ndim == 1 else 0
    if not n or given.dtype.kind not in "iuUS":
        raise UserError(f"{path}: labels are {given.dtype} of shape {given.shape}; (n,) integers or texts are expected")
    for name in ("split", "ids", "texts"):
        if name in arrays and arrays[name].shape != (n,):
            raise UserError(f"{path}: {name} has the shape {arrays[name].shape}; there are {n} labels")
    labels, classes = _numbered(path, given, arrays.get("classes"))
    split = arrays["split"].astype(np.int8) if "split" in arrays else _drawn_split(labels, seed)
    if not np.isin(split, range(len(SPLIT_NAMES))).all():
        raise UserError(f"{path}: split must be 0 (train), 1 (val) or 2 (excluded)")
    ids = arrays.get("ids", np.array([f"row {i}" for i in range(n)])).astype(str)
    sample = Sample((torch.empty(n, 0),), labels, split, np.arange(n), ids, classes)
    return Points(sample, arrays["texts"].astype(str) if "texts" in arrays else None)


def scores(logits: np.ndarray | None, sample: Sample) -> dict[str, float]:
    """Accuracy and loss of train and val, nothing where there are no logits."""
    found = {}
    for code, name in enumerate(SPLIT_NAMES[:2]):
        rows = (sample.split == code) & (sample.labels >= 0)
        if logits is not None and rows.any():
            of_split, truth = torch.from_numpy(logits[rows]), torch.from_numpy(sample.labels[rows])
            found[f"{name}_loss"] = float(torch.nn.functional.cross_entropy(of_split, truth))
            found[f"{name}_accuracy"] = float((of_split.argmax(1) == truth).double().mean())
    return found


def _numbered(path: Path, given: np.ndarray, names: np.ndarray | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if given.dtype.kind in "US":
        classes, labels = np.unique(given.astype(str), return_inverse=True)
        return labels.astype(np.int64), tuple(map(str, classes))
    labels = given.astype(np.int64)
    n_classes = int(labels.max()) + 1 if names is None else len(names)
    if labels.min() < -1 or labels.max() >= n_classes or n_classes < 1:
        raise UserError(
            f"{path}: labels are {labels.min()} to {labels.max()}; 0 to {n_classes - 1}, or -1, are expected"
        )
    return labels, tuple(str(name) for name in (range(n_classes) if names is None else names))


def _drawn_split(labels: np.ndarray, seed: int) -> np.ndarray:
    split = np.zeros(len(labels), np.int8)
    split[stratified_indices(labels, round(VAL_SHARE * len(labels)), seed)] = SPLIT_NAMES.index("val")
    split[labels < 0] = SPLIT_NAMES.index("excluded")
    return split


def _diagnostics(only: Sequence[str] | None, has_logits: bool) -> list:
    known = diagnostic_classes()
    kinds = list(KINDS if only is None else only)
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise UserError(
            f"{', '.join(unknown)} cannot be computed from activations alone; choose from {', '.join(KINDS)}"
        )
    without = [kind for kind in kinds if kind in NEED_LOGITS and not has_logits]
    if without and only is not None:
        raise UserError(f"{', '.join(without)} needs an array called {LOGITS} in every file")
    if without:
        log.info("no array called %s in the files: without %s", LOGITS, ", ".join(without))
    return [known[kind]() for kind in kinds if kind not in without]


def _snapshot(epoch: int, sample: Sample, layers: Mapping[str, np.ndarray]) -> Snapshot:
    activations = {name: torch.from_numpy(values) for name, values in layers.items()}
    logits = activations.get(LOGITS, torch.full((len(sample), len(sample.classes)), float("nan")))
    return Snapshot(epoch, epoch, sample, activations, logits, criterion=torch.nn.functional.cross_entropy)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Every array of a file, in its order."""
    with NpyFile(path, ONLY_LAYER) if path.suffix == ".npy" else NpzReader(path) as reader:
        return {key: reader.read(key) for key in reader.keys}


def _description(
    sample: Sample, files: Sequence[Path], labels: Path, layers: list[str], kinds: list[str], last: int
) -> dict[str, object]:
    return run_folder.identity() | {
        "format": 1,
        "state": "running",
        "started": artifacts.now(),
        "repviz_version": __version__,
        "classes": list(sample.classes),
        "layers": layers,
        "kinds": kinds,
        "data": {"path": ", ".join(str(Path(f).absolute()) for f in files), "labels": str(Path(labels).absolute())},
        "sample": {name: int((sample.split == code).sum()) for code, name in enumerate(SPLIT_NAMES)},
        "max_epochs": last,
        "monitor": "val_accuracy",
        "progress": {"epoch": last, "step": last, "steps_per_epoch": 1},
    }
