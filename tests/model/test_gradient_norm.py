"""The norm that is reported is that of the gradients which the optimiser uses, whatever the loss was multiplied by."""

import math

import lightning as L
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch.utils.data import DataLoader

from repviz.model.classifier import EmbeddingClassifier


class Norms(L.Callback):
    """Scale and scaled gradients of each step, taken apart from the module."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        gradients = torch.cat([p.grad.flatten() for p in module.parameters()])
        self.seen.append((trainer.precision_plugin.scaler.get_scale(), float(gradients.norm())))


def reported(*callbacks, scale=None, **more):
    """``grad_norm`` of an epoch of six steps; with a scale, in float16."""
    torch.manual_seed(0)
    rows = [((torch.randn(6),), torch.tensor(k % 3)) for k in range(48)]
    torch.manual_seed(1)
    module = EmbeddingClassifier(n_features=6, n_classes=3, hidden_dims=(5,), fusion="none", dropout=0.0)
    if scale is not None:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        more["plugins"] = [MixedPrecision("16-mixed", "cpu", scaler)]
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "barebones": False}
    trainer = L.Trainer(max_epochs=1, accelerator="cpu", callbacks=list(callbacks), **quiet, **more)
    trainer.fit(module, DataLoader(rows, batch_size=8))
    return float(trainer.callback_metrics["grad_norm"])


@pytest.fixture(scope="module")
def in_single_precision():
    return reported()


@pytest.mark.parametrize("clip", [None, 100.0])
def test_scaled_gradients_are_reported_unscaled(in_single_precision, clip):
    assert reported(scale=1024.0, gradient_clip_val=clip) == pytest.approx(in_single_precision, rel=0.02)


def test_steps_that_overflow_are_not_taken_and_do_not_count():
    norms = Norms()
    found = reported(norms, scale=2.0**22)
    finite = [norm / scale for scale, norm in norms.seen if math.isfinite(norm)]
    assert 0 < len(finite) < len(norms.seen) == 6
    assert found == pytest.approx(sum(finite) / len(finite), rel=1e-5)
