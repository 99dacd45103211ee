"""No step of training reads a number off the device: that would make the host wait for it."""

from typing import Any

import pytest
from lightning.pytorch import Callback
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from repviz.cli import main

READING = {"item", "tolist", "numpy", "cpu", "nonzero", "__bool__", "__float__", "__int__", "__index__"}
READING_OPERATORS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}


class _Calls(TorchFunctionMode):
    """What Python code asks of tensors."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in READING:
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    """What reaches the device, whoever asked for it."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in READING_OPERATORS:
            self.seen.append(func._schema.name)
        return func(*args, **(kwargs or {}))


class Watch(Callback):
    """Notes every reading from the start of an epoch's second step to the end of its last but one."""

    seen: list[str] = []  # noqa: RUF012 - of the run under way, whoever made the callback
    steps = 0
    at_each_step: Any = None

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            self.modes = (_Calls(Watch.seen), _Operators(Watch.seen))
            for mode in self.modes:
                mode.__enter__()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx >= 1 and Watch.at_each_step is not None:
            Watch.at_each_step(outputs["loss"])
        if batch_idx == trainer.num_training_batches - 2:
            for mode in reversed(self.modes):
                mode.__exit__(None, None, None)
            Watch.steps += batch_idx


def train(tmp_path, packages, *options, at_each_step=None):
    Watch.seen.clear()
    Watch.steps, Watch.at_each_step = 0, at_each_step
    main(
        ["fit", "--data.path", str(packages), "--runs-dir", str(tmp_path / "runs"), "--model.hidden_dims", "[16]",
         "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--baseline.enabled", "false",
         "--diagnostics", "off", "--runtime.torch_threads", "1",
         "--trainer.callbacks+=tests.training.test_no_waiting.Watch", *options]
    )  # fmt: skip
    return Watch.steps, list(Watch.seen)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--trainer.precision", "bf16-mixed"],
        ["--model.loss", "focal", "--model.class_weights", "balanced", "--model.fusion", "concat"],
        ["--model.fusion", "film", "--model.label_smoothing", "0.1", "--trainer.gradient_clip_val", "1"],
    ],
    ids=["plain", "bfloat16", "focal loss", "FiLM, clipped"],
)
def test_no_step_of_training_waits_for_the_device(tmp_path, packages, options):
    steps, seen = train(tmp_path, packages, *options)
    assert steps >= 4
    assert seen == []


def test_no_step_on_rows_of_the_disk_does_either(tmp_path, packages):
    main(["data", "convert", str(packages), "--out", f"{tmp_path / 'folder'}/"])
    steps, seen = train(tmp_path, tmp_path / "folder", "--data.loading", "blocks")
    assert steps >= 4
    assert seen == []


def test_a_reading_would_be_seen(tmp_path, packages):
    steps, seen = train(tmp_path, packages, at_each_step=lambda loss: float(loss))
    assert len(seen) >= steps
