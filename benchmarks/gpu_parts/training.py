"""Training on a GPU beside a hand-written loop, settings that may be faster, and whether a step makes the host wait."""

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from gpu_parts.made import data_file
from gpu_parts.sizes import N_FEATURES
from report.record import Record, Row, rates
from training_parts.hand_written import by_hand
from training_parts.setting import Setting, rate, rows_of
from training_parts.through_repviz import through_repviz

BARS = {4096: 0.9, 512: 0.7}
PEER = "a hand-written device-resident loop, eager, single precision"
BESIDE = {
    "bfloat16": ("--trainer.precision", "bf16-mixed"),
    "TF32": ("--runtime.float32_matmul_precision", "high"),
    "torch.compile": ("--runtime.compile", "auto"),
    "CUDA graphs": ("--runtime.compile", "cuda_graphs"),
}
"""Settings of ``repviz fit`` that are measured beside the eager run in single precision."""


def training(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on training at both batch sizes, eager."""
    with tempfile.TemporaryDirectory() as folder:
        data = data_file(Path(folder), sizes["rows"], N_FEATURES)
        rows = rows_of(data)
        for batch, setting in _settings(sizes, options):
            own, other = [], []
            for _ in range(options.repeats):
                other.append(rate(len(rows["train"][0]), by_hand(rows, setting)))
                own.append(rate(len(rows["train"][0]), through_repviz(data, setting)))
            bar = None if options.small else BARS[batch]
            record.add(rates(f"training, batch {batch}", own, other, "samples/s", peer=PEER, bar=bar))


def settings(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on training with other settings, each by itself; without a bar.

    Raises:
        RuntimeError: some of them could not be measured; the others are in the record.
    """
    # Without a GPU nothing is compiled: a row of it would be one of the eager run.
    there = {name: more for name, more in BESIDE.items() if options.device == "cuda" or "--runtime.compile" not in more}
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        data = data_file(Path(folder), sizes["rows"], N_FEATURES)
        rows = rows_of(data)
        for batch, setting in _settings(sizes, options):
            other = [rate(len(rows["train"][0]), by_hand(rows, setting)) for _ in range(min(2, options.repeats))]
            for name, more in there.items():
                what = f"training, batch {batch}, {name}"
                try:
                    own = [rate(len(rows["train"][0]), through_repviz(data, setting, *more)) for _ in other]
                    record.add(rates(what, own, other, "samples/s", peer=PEER))
                except Exception as error:  # no compiler, say: the others are measured all the same
                    problems.append(f"{what}: {type(error).__name__}: {error}")
                torch.set_float32_matmul_precision("highest")
    if problems:
        raise RuntimeError("; ".join(problems))


def waits(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """A row on how often a further step makes the host wait for the device, as CUDA itself tells."""
    if options.device != "cuda":
        return
    found = []
    for rows in (sizes["rows"] // 8, sizes["rows"] // 4):
        setting = Setting((sizes["width"],) * 3, min(BARS), 1, options.device)
        with tempfile.TemporaryDirectory() as folder, _told_of_waits() as told:
            through_repviz(data_file(Path(folder), rows, N_FEATURES), setting)
        found.append((setting.steps(rows), len(told)))
    (fewer, some), (more, all_of_them) = found
    record.add(Row("host waits of a further step", ((all_of_them - some) / (more - fewer),), "waits", 0, "most"))


def _settings(sizes: dict[str, int], options: argparse.Namespace) -> Iterator[tuple[int, Setting]]:
    for batch in BARS if not options.small else [min(BARS)]:
        yield batch, Setting((sizes["width"],) * 3, batch, sizes["epochs"], options.device)


@contextmanager
def _told_of_waits() -> Iterator[list[warnings.WarningMessage]]:
    """Each wait of the host for the device in the block."""
    kept: list[warnings.WarningMessage] = []
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield kept
        kept.extend(one for one in told if "synchronizing CUDA operation" in str(one.message))
    finally:
        torch.cuda.set_sync_debug_mode("default")
