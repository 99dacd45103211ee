import math
import pickle

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from repviz.errors import UserError
from repviz.model.schedules import learning_rate_factor


def rates(factor, n_steps, base=0.2):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = LambdaLR(optimizer, factor)
    seen = []
    for _ in range(n_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_cosine_goes_from_one_through_a_half_to_zero():
    factor = learning_rate_factor("cosine", 0, 100)
    assert factor(0) == 1
    assert factor(25) == pytest.approx((2 + math.sqrt(2)) / 4)
    assert factor(50) == pytest.approx(0.5)
    assert factor(100) == pytest.approx(0, abs=1e-15)
    assert factor(150) == pytest.approx(0, abs=1e-15)


def test_the_warm_up_is_a_line_that_ends_where_the_cosine_starts():
    assert rates(learning_rate_factor("cosine", 4, 10), 5) == pytest.approx([0.04, 0.08, 0.12, 0.16, 0.2])
    factor = learning_rate_factor("cosine", 4, 10)
    assert factor(7) == pytest.approx(0.5)
    assert factor(10) == pytest.approx(0, abs=1e-15)


def test_without_warm_up_it_is_torchs_cosine():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    theirs, scheduler = [], torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for _ in range(30):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates(learning_rate_factor("cosine", 0, 30), 30) == pytest.approx(theirs)


def test_the_constant_stays_after_its_warm_up():
    factor = learning_rate_factor("constant", 3, math.inf)
    assert [factor(s) for s in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert factor(10**6) == 1


def test_a_warm_up_longer_than_the_training_is_cut_off():
    factor = learning_rate_factor("cosine", 10, 3)
    assert [factor(s) for s in range(3)] == pytest.approx([1 / 11, 2 / 11, 3 / 11])


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_it_survives_pickling(schedule):
    factor = learning_rate_factor(schedule, 2, 20)
    copy = pickle.loads(pickle.dumps(factor))
    assert [copy(s) for s in range(25)] == [factor(s) for s in range(25)]


def test_a_resumed_schedule_follows_the_new_number_of_steps():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    short = LambdaLR(optimizer, learning_rate_factor("cosine", 0, 10)).state_dict()
    scheduler = LambdaLR(optimizer, learning_rate_factor("cosine", 0, 20))
    scheduler.load_state_dict(short | {"last_epoch": 9})
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("linear", 0, 10), r"model\.schedule is 'linear'"),
        (("cosine", -1, 10), "warm-up is -1"),
        (("cosine", 0, math.inf), r"trainer\.max_epochs"),
    ],
)
def test_settings_out_of_range_are_named(arguments, named):
    with pytest.raises(UserError, match=named):
        learning_rate_factor(*arguments)
