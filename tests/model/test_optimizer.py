"""One kernel updates all parameters, wherever that is possible, with the numbers of the plain update."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from repviz.model.classifier import EmbeddingClassifier


def optimizer_of(precision="32-true", clip=None):
    module = EmbeddingClassifier(n_features=6, n_classes=3, hidden_dims=(5,), fusion="none")
    module.trainer = SimpleNamespace(
        precision=precision,
        gradient_clip_val=clip,
        estimated_stepping_batches=10,
        num_training_batches=10,
        accumulate_grad_batches=1,
    )
    return module, module.configure_optimizers()["optimizer"]


@pytest.mark.parametrize(
    ("precision", "clip", "fused"),
    [("32-true", None, True), ("32-true", 1.0, True), ("16-mixed", None, True), ("16-mixed", 1.0, None)],
)
def test_adamw_is_fused_unless_float16_gradients_are_clipped(precision, clip, fused):
    _, optimizer = optimizer_of(precision, clip)
    assert optimizer.defaults["fused"] is fused


def test_fused_updates_are_those_of_the_plain_optimizer():
    module, fused = optimizer_of()
    other, _ = optimizer_of()
    other.load_state_dict(module.state_dict())
    plain = torch.optim.AdamW(other.parameters(), lr=module.hparams.lr, weight_decay=module.hparams.weight_decay)
    plain.param_groups[0]["lr"] = fused.param_groups[0]["lr"] = 1e-2
    x, y = torch.randn(20, 6), torch.randint(3, (20,))
    for _ in range(5):
        for network, optimizer in ((module, fused), (other, plain)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network.eval()(x), y).backward()
            optimizer.step()
    for own, expected in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)
