"""``runtime.compile``: the compiled network trains and is looked at as the other, under the same names."""

from types import SimpleNamespace

import pytest
import torch
import xarray as xr
from lightning.pytorch import LightningModule
from torch._dynamo.utils import counters

import repviz
from repviz.errors import UserError
from repviz.training import runtime
from repviz.training.runtime import Runtime
from tests.training.conftest import fit, weights  # noqa: F401

ONE_BATCH_A_STEP = SimpleNamespace(accumulate_grad_batches=1)
LOOKING = ["--diagnostics", "inline", "--projection.methods", "[pca]", "--landscape.enabled", "false"]
LOOKING += ["--trainer.max_epochs", "2", "--sample.size", "200"]


@pytest.fixture
def compiled(monkeypatch):
    """What was compiled and how; traced as ever, and run without the C++ compiler, which takes a minute."""
    calls, real = [], torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, **how: calls.append((self, how)) or real(self, backend="eager", **how)
    )
    torch._dynamo.reset()
    counters.clear()
    yield calls
    torch._dynamo.reset()


def test_it_trains_to_the_same_numbers_and_looking_does_not_compile_anew(fit, compiled):  # noqa: F811
    plain = fit(*LOOKING, name="plain")
    assert not compiled
    run_dir = fit(*LOOKING, "--runtime.compile", "always", name="compiled")
    assert [how for _, how in compiled] == [{}]
    assert counters["frames"]["ok"] > 0
    assert sum(counters["recompiles"].values()) == 0
    # training and measuring, a whole batch and the last of an epoch: a graph for each, and none for whoever looks
    assert counters["stats"]["unique_graphs"] <= 4
    expected = weights(plain)
    found = weights(run_dir)
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    runs = [repviz.open_run(path) for path in (plain, run_dir)]
    assert runs[0].kinds() == runs[1].kinds() != []
    one, other = (run.read("projection", 2) for run in runs)
    xr.testing.assert_allclose(one["scores"], other["scores"], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("asked", "device", "triton", "how"),
    [
        ("never", "cuda", True, None),
        ("auto", "cpu", True, None),
        ("auto", "cuda", False, None),
        ("auto", "cuda", True, {}),
        ("always", "cpu", False, {}),
        ("always", "cuda", True, {}),
        ("cuda_graphs", "cuda", True, {"mode": "reduce-overhead"}),
    ],
)
def test_what_is_compiled_where(asked, device, triton, how, monkeypatch):
    calls = []
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: object() if triton else None)
    monkeypatch.setattr(LightningModule, "device", torch.device(device))
    module = LightningModule()
    module.network, module.criterion = torch.nn.Linear(2, 2), torch.nn.CrossEntropyLoss()
    for name in ("network", "criterion"):
        monkeypatch.setattr(getattr(module, name), "compile", lambda name=name, **given: calls.append((name, given)))
    Runtime(compile=asked).on_fit_start(ONE_BATCH_A_STEP, module)
    assert calls == ([] if how is None else [("network", how)])


def test_cuda_graphs_are_not_left_out_in_silence(monkeypatch):
    monkeypatch.setattr(LightningModule, "device", torch.device("cpu"))
    with pytest.raises(UserError, match="cuda_graphs needs a CUDA device and Triton"):
        Runtime(compile="cuda_graphs").on_fit_start(ONE_BATCH_A_STEP, LightningModule())


def test_cuda_graphs_overwrite_gradients_that_are_added_up():
    two = SimpleNamespace(accumulate_grad_batches=2)
    with pytest.raises(UserError, match="accumulate_grad_batches over 1"):
        Runtime(compile="cuda_graphs").on_fit_start(two, LightningModule())
    Runtime(compile="never").on_fit_start(two, LightningModule())
