import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from repviz.errors import UserError
from repviz.model.losses import balanced_class_weights, make_criterion

N, N_CLASSES = 17, 4
DATA = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(N, N_CLASSES, generator=DATA, dtype=torch.float64)
LABELS = torch.randint(N_CLASSES, (N,), generator=DATA)
WEIGHTS = torch.tensor([0.5, 1.0, 2.5, 0.1], dtype=torch.float64)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy_and_focal_of_gamma_zero_are_torchs_cross_entropy(loss, weights, smoothing):
    criterion = make_criterion(loss, 0.0, smoothing, weights)
    expected = F.cross_entropy(LOGITS, LABELS, weight=weights, label_smoothing=smoothing)
    torch.testing.assert_close(criterion(LOGITS, LABELS), expected, rtol=1e-12, atol=0)


def test_focal_loss_is_that_of_the_paper():
    # p = 0.5, 0.8, 0.1 of the label, among two classes
    logits = torch.tensor([[0.0, 0.0], [math.log(4), 0.0], [0.0, math.log(9)]], dtype=torch.float64)
    labels = torch.tensor([1, 0, 0])
    rows = [0.5**2 * math.log(2), 0.2**2 * -math.log(0.8), 0.9**2 * math.log(10)]
    assert make_criterion("focal", 2.0)(logits, labels).item() == pytest.approx(sum(rows) / 3, rel=1e-12)
    weights = torch.tensor([3.0, 0.5], dtype=torch.float64)
    weighted = (0.5 * rows[0] + 3 * rows[1] + 3 * rows[2]) / 6.5
    assert make_criterion("focal", 2.0, 0.0, weights)(logits, labels).item() == pytest.approx(weighted, rel=1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_smoothing_mixes_in_the_mean_over_all_labels(loss):
    hard = make_criterion(loss, 1.5)
    anywhere = torch.stack([hard(LOGITS, torch.full_like(LABELS, c)) for c in range(N_CLASSES)]).mean()
    smoothed = make_criterion(loss, 1.5, label_smoothing=0.3)(LOGITS, LABELS)
    torch.testing.assert_close(smoothed, 0.7 * hard(LOGITS, LABELS) + 0.3 * anywhere, rtol=1e-12, atol=0)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_the_focal_loss_grows_with_the_error_and_shrinks_with_gamma(gamma):
    label = torch.tensor([0])
    logits = [torch.tensor([[z, 0.0]]) for z in (-3.0, 0.0, 3.0)]
    losses = [make_criterion("focal", gamma)(z, label) for z in logits]
    assert losses[0] > losses[1] > losses[2] > 0
    assert all(ours < F.cross_entropy(z, label) for ours, z in zip(losses, logits, strict=True))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize(("weights", "smoothing"), [(None, 0.0), (WEIGHTS, 0.2)])
def test_the_focal_gradient_is_right(gamma, weights, smoothing):
    criterion = make_criterion("focal", gamma, smoothing, weights)
    assert torch.autograd.gradcheck(lambda z: criterion(z, LABELS), LOGITS.clone().requires_grad_())


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_saturated_logits_give_finite_loss_and_gradient(gamma, smoothing):
    logits = torch.tensor([[200.0, 0.0, -200.0], [-200.0, 0.0, 200.0]], requires_grad=True)
    loss = make_criterion("focal", gamma, smoothing)(logits, torch.tensor([0, 0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1, 0] < 0


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_class_weights_are_state_of_the_module(loss):
    module = nn.Sequential()
    module.criterion = make_criterion(loss, class_weights=WEIGHTS.float())
    assert "criterion.weight" in module.state_dict()
    assert module.double().criterion.weight.dtype == torch.float64
    assert module.to("meta").criterion.weight.is_meta


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_means_of_parts_combine_to_the_mean_of_all_through_the_normalizer(loss):
    for weights in (None, WEIGHTS):
        criterion = make_criterion(loss, 2.0, 0.1, weights)
        parts = [(LOGITS[:5], LABELS[:5]), (LOGITS[5:], LABELS[5:])]
        total = sum(criterion(z, y) * criterion.normalizer(y) for z, y in parts)
        whole = total / sum(criterion.normalizer(y) for _, y in parts)
        torch.testing.assert_close(whole, criterion(LOGITS, LABELS), rtol=1e-12, atol=0)


def test_focal_widens_low_precision_logits():
    loss = make_criterion("focal")(LOGITS.bfloat16(), LABELS)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, make_criterion("focal")(LOGITS.bfloat16().float(), LABELS))


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat([0, 1, 2], [5, 1, 30])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    weights = balanced_class_weights(torch.tensor([5, 1, 30]))
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_an_empty_class_leaves_the_other_balanced_weights_alone():
    weights = balanced_class_weights(torch.tensor([5, 0, 1, 30]))
    torch.testing.assert_close(weights[[0, 2, 3]], balanced_class_weights(torch.tensor([5, 1, 30])))
    assert weights[1] == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"loss": "hinge"}, r"model\.loss is 'hinge': choose one of cross_entropy, focal"),
        ({"gamma": -1.0}, r"model\.focal_gamma is -1\.0"),
        ({"gamma": math.nan}, r"model\.focal_gamma is nan"),
        ({"label_smoothing": 1.1}, r"model\.label_smoothing is 1\.1"),
        ({"label_smoothing": 1.0}, r"model\.label_smoothing is 1\.0.*below 1"),
        ({"class_weights": torch.tensor([1.0, math.nan])}, r"model\.class_weights"),
        ({"class_weights": torch.tensor([1.0, -1.0])}, r"model\.class_weights"),
        ({"class_weights": torch.zeros(2)}, r"model\.class_weights"),
        ({"class_weights": torch.ones(2, 2)}, r"model\.class_weights has shape \(2, 2\)"),
    ],
)
def test_settings_out_of_range_are_named(settings, named):
    with pytest.raises(UserError, match=named):
        make_criterion(**settings)
