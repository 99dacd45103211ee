"""What is looked at is computed in full single precision, whatever training has set, and training's setting stays."""

import pytest
import torch
from torch import nn

from repviz.precision import full_single_precision
from repviz.snapshot import observing

PRODUCTS = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
CONVOLUTIONS = torch.backends.cudnn.conv, torch.backends.cudnn.rnn


@pytest.fixture(autouse=True)
def _as_before():
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


def precisions(parts=(*PRODUCTS, *CONVOLUTIONS)):
    return [part.fp32_precision for part in parts]


@pytest.mark.parametrize("trained_in", ["highest", "high", "medium"])
def test_looking_is_exact_and_training_goes_on_as_it_was_set(trained_in):
    torch.set_float32_matmul_precision(trained_in)
    before = precisions()
    assert before[2:] == ["tf32", "tf32"]  # as torch has it without being told
    with pytest.raises(KeyError), observing(nn.Linear(2, 2)):
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        assert "tf32" not in precisions()
        assert "bf16" not in precisions()
        raise KeyError
    assert torch.get_float32_matmul_precision() == trained_in
    assert torch.backends.cudnn.allow_tf32
    assert precisions() == before


def test_a_precision_that_was_set_for_one_backend_alone_stays_too():
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    with pytest.raises(RuntimeError):
        torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError):
        _ = torch.backends.cudnn.allow_tf32
    before = precisions()
    with pytest.raises(KeyError), full_single_precision():
        assert precisions() == ["ieee"] * 4
        raise KeyError
    assert precisions() == before
    assert before[0] == "tf32"


def test_products_are_those_of_single_precision():
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(200, 300, generator=random), torch.randn(300, 200, generator=random)
    exact = a.double() @ b.double()
    torch.set_float32_matmul_precision("medium")  # rounds to bfloat16 on processors that have it
    with full_single_precision():
        assert float((a @ b - exact).abs().max()) < 1e-4
