"""The solver against scikit-learn's, and what it promises about many problems at once."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from repviz.diagnostics import logistic_regression
from repviz.diagnostics.logistic_regression import (
    Axes,
    Problems,
    decision,
    fit,
    predicted,
    principal_position,
    standardized,
)


def digits(n=400):
    points, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(points))[:n]
    return torch.from_numpy(points[rows]), torch.from_numpy(labels[rows])


def problem(labels, weights=None):
    ones = torch.ones(len(labels)) if weights is None else weights
    return Problems(labels[:, None], ones[:, None], int(labels.max()) + 1)


@pytest.mark.parametrize("c", [1e-3, 0.1, 10.0])
def test_probabilities_are_scikit_learns(c):
    points, labels = digits()
    everyone = len(points)
    scaled = standardized(points, everyone)
    axes = principal_position(scaled, everyone)
    theta, steps = fit(axes, problem(labels), c, tolerance=1e-6)
    assert steps < 200
    ours = decision(axes, theta)[:, 0].softmax(1).numpy()
    theirs = LogisticRegression(C=c, max_iter=5000, tol=1e-7).fit(scaled.double(), labels).predict_proba(scaled)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize(("c", "most_steps"), [(1e-4, 5), (0.1, 60), (100.0, 200)])
def test_many_classes_of_few_points(c, most_steps):
    """Rows go by in parts here; with next to no penalty most classes are all but impossible for most points."""
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.geometric(0.02, 1500) - 1, 149)
    points = torch.from_numpy(rng.normal(size=(150, 12))[labels] * 3 + rng.normal(size=(1500, 12)))
    everyone = len(points)
    scaled = standardized(points, everyone)
    axes = principal_position(scaled, everyone)
    _, labels = np.unique(labels, return_inverse=True)
    theta, steps = fit(axes, problem(torch.from_numpy(labels)), c, tolerance=1e-6)
    assert steps < most_steps
    logits = decision(axes, theta)[:, 0]
    theirs = LogisticRegression(C=c, max_iter=9000, tol=1e-7).fit(scaled.double(), labels).predict_proba(scaled)
    np.testing.assert_allclose(logits.softmax(1).numpy(), theirs, atol=4e-3)
    assert predicted(axes, theta)[:, 0].equal(logits.argmax(1))


def test_a_class_that_a_problem_has_no_point_of():
    points, labels = digits()
    everyone = len(points)
    axes = principal_position(standardized(points, everyone), everyone)
    without = (labels != 3).float()
    theta, steps = fit(axes, problem(labels, without), 0.1, tolerance=1e-5)
    assert steps < 100
    assert (predicted(axes, theta)[:, 0] != 3).all()


def test_fewer_points_than_units():
    points, labels = digits(40)
    everyone = 40
    scaled = standardized(points, everyone)
    axes = principal_position(scaled, everyone)
    assert axes.scores.shape[1] <= 39
    ours = decision(axes, fit(axes, problem(labels), 0.1, tolerance=1e-6)[0])[:, 0].softmax(1).numpy()
    theirs = LogisticRegression(C=0.1, max_iter=5000, tol=1e-7).fit(scaled.double(), labels).predict_proba(scaled)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_problems_solved_together_are_those_solved_alone():
    points, labels = digits(400)
    everyone = len(points)
    axes = principal_position(standardized(points, everyone), everyone)
    halves = [torch.arange(len(points)) % 2 == part for part in (0, 1)]
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    together = Problems(
        torch.stack([labels, labels, shuffled], 1), torch.stack([*halves, torch.ones(len(labels))], 1).float(), 10
    )
    found = decision(axes, fit(axes, together, 0.1, tolerance=1e-6)[0]).softmax(2)
    for number, (own, half) in enumerate([(labels, halves[0]), (labels, halves[1]), (shuffled, torch.ones(400) > 0)]):
        alone = decision(axes, fit(axes, problem(own, half.float()), 0.1, tolerance=1e-6)[0])[:, 0].softmax(1)
        torch.testing.assert_close(found[:, number], alone, atol=2e-3, rtol=0)
        # and a point of weight 0 might as well not be there
        part = Axes(axes.scores[half], axes.variances)
        left_out = fit(part, problem(own[half]), 0.1, tolerance=1e-6)[0]
        torch.testing.assert_close(alone, decision(axes, left_out)[:, 0].softmax(1), atol=2e-3, rtol=0)


def test_whatever_is_worked_on_at_a_time_loss_and_gradient_are_those_of_autograd(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    points, labels = torch.randn(90, 4, generator=generator), torch.randint(0, 5, (90, 3), generator=generator)
    weights = torch.randint(0, 2, (90, 3), generator=generator).float()
    theta = (3 * torch.randn(5, 3, 5, generator=generator)).requires_grad_()
    axes, c = Axes(points, torch.ones(4)), 0.3
    logits = decision(axes, theta)
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(90, 3)
    penalty = theta[:-1].square().sum((0, 2)) / (2 * c)
    expected = ((losses * weights).sum(0) + penalty) / weights.sum(0)
    (slope,) = torch.autograd.grad(expected.sum(), theta)
    monkeypatch.setattr(logistic_regression, "_FEWEST_ROWS", 7)
    for columns, at_a_time in ((2**10, 2**17), (10, 1), (1, 1)):
        monkeypatch.setattr(logistic_regression, "_COLUMNS", columns)
        monkeypatch.setattr(logistic_regression, "_LOGITS_OF_A_PROCESSOR", at_a_time)
        value, gradient = logistic_regression._Loss(axes, Problems(labels, weights, 5), c).at(theta.detach())
        torch.testing.assert_close(value.float(), expected.detach(), rtol=1e-5, atol=0)
        torch.testing.assert_close(gradient, slope, rtol=1e-4, atol=1e-6)


def test_a_warm_start_ends_in_the_same_place_sooner():
    points, labels = digits()
    everyone = len(points)
    axes = principal_position(standardized(points, everyone), everyone)
    near, _ = fit(axes, problem(labels), 0.08, tolerance=1e-5)
    cold, many = fit(axes, problem(labels), 0.1, tolerance=1e-5)
    warm, few = fit(axes, problem(labels), 0.1, near, tolerance=1e-5)
    assert few < many
    torch.testing.assert_close(decision(axes, warm).softmax(2), decision(axes, cold).softmax(2), atol=2e-3, rtol=0)


def test_separable_points_with_hardly_a_penalty():
    points = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]])
    labels = torch.tensor([0, 0, 1, 1])
    axes = principal_position(points, 4)
    theta, _ = fit(axes, problem(labels), 1e4, tolerance=1e-3)
    assert torch.isfinite(theta).all()
    assert (decision(axes, theta)[:, 0].argmax(1) == labels).all()


def test_without_any_axis_the_intercepts_are_the_class_shares():
    axes = principal_position(torch.full((10, 3), 7.0), 10)
    assert axes.scores.shape == (10, 0)
    labels = torch.tensor([0] * 7 + [1] * 3)
    probability = decision(axes, fit(axes, problem(labels), 1.0, tolerance=1e-6)[0])[:, 0].softmax(1)
    torch.testing.assert_close(probability[0], torch.tensor([0.7, 0.3]), atol=1e-4, rtol=0)


def test_standardised_by_the_fitted_points_and_constant_units_are_zero():
    points = torch.tensor([[1.0, 5.0], [3.0, 5.0], [9.0, 6.0]])
    torch.testing.assert_close(standardized(points, 2), torch.tensor([[-1.0, 0], [1, 0], [7, 0]]))
