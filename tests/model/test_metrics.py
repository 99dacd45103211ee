import pickle
from functools import partial

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torchmetrics.classification import MulticlassF1Score

from repviz.model.losses import make_criterion
from repviz.model.metrics import ConfidenceWeightedF1, EvaluationMetrics, TrainingTally

N, N_CLASSES = 500, 6
PROBABILITIES = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.1, 0.2, 0.7]]


def rows(n=N, n_classes=N_CLASSES, seed=0):
    """Logits that lean to the label, float64, labels of unequal frequency."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(n, generator=generator) ** 2 * n_classes).long()
    logits = torch.randn(n, n_classes, generator=generator, dtype=torch.float64)
    return logits + nn.functional.one_hot(labels, n_classes), labels


def evaluate(logits, labels, bounds=(), criterion=None):
    """Metrics of rows that come in the batches that ``bounds`` cuts."""
    criterion = criterion or make_criterion()
    metrics = EvaluationMetrics(logits.shape[1])
    for z, y in zip(torch.tensor_split(logits, bounds), torch.tensor_split(labels, bounds), strict=True):
        metrics.update(z, y, criterion(z, y), criterion.normalizer(y))
    return {name: value.item() for name, value in metrics.compute().items()}


def test_accuracy_and_macro_f1_are_those_of_scikit_learn_and_torchmetrics():
    logits, labels = rows()
    got, predicted = evaluate(logits, labels), logits.argmax(1)
    assert got["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert got["f1_macro"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    theirs = MulticlassF1Score(N_CLASSES, average="macro")(logits, labels)
    assert got["f1_macro"] == pytest.approx(theirs.item(), rel=1e-6)


def test_classes_that_occur_nowhere_do_not_count_but_those_only_predicted_do():
    # Class 1 is only ever predicted, class 3 occurs nowhere.
    predicted, labels = torch.tensor([0, 1, 2, 2, 0]), torch.tensor([0, 0, 2, 2, 2])
    logits = 10.0 * nn.functional.one_hot(predicted, 4)
    got = evaluate(logits, labels)
    assert got["f1_macro"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert got["f1_macro"] == pytest.approx(MulticlassF1Score(4, average="macro")(logits, labels).item())


def test_the_confidence_weighted_f1_is_the_one_worked_out_by_hand():
    logits, labels = torch.tensor(PROBABILITIES).log(), torch.tensor([0, 0, 1, 1])
    metric = ConfidenceWeightedF1(3)
    metric.update(logits + 7.0, labels)  # a softmax does not see a constant
    torch.testing.assert_close(
        metric.counts.confidence,
        torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.5, 0.7], [0.2, 0.2, 0.0]], dtype=torch.float64),
        rtol=1e-6,
        atol=1e-6,
    )
    # Macro has a third class, only predicted, with F1 = 0; the mean weighted by support does not, and is larger.
    f1_0, f1_1 = 2 * 0.6 / (2 * 0.6 + 0.2), 2 * 0.8 / (2 * 0.8 + 0.5 + 0.2)
    assert metric.compute().item() == pytest.approx((2 * f1_0 + 2 * f1_1) / 4, rel=1e-6)


def test_the_confidence_weighted_f1_takes_the_macro_mean_where_that_is_larger():
    # Three rows of class 0, two of them missed; one of class 1.
    probabilities = torch.tensor([[0.55, 0.45], [0.45, 0.55], [0.45, 0.55], [0.05, 0.95]])
    metric = ConfidenceWeightedF1(2)
    metric.update(probabilities.log(), torch.tensor([0, 0, 0, 1]))
    f1_0, f1_1 = 2 * 0.55 / (2 * 0.55 + 2 * 0.45), 2 * 0.95 / (2 * 0.95 + 2 * 0.55)
    assert metric.compute().item() == pytest.approx((f1_0 + f1_1) / 2, rel=1e-6)


def test_a_class_that_is_only_predicted_counts_in_the_macro_mean():
    # Four rows of class 0, of which three are missed, one towards class 2; one row of class 1.
    probabilities = torch.tensor([[0.4, 0.3, 0.3], [0.4, 0.6, 0], [0.4, 0.6, 0], [0.4, 0, 0.6], [0, 1.0, 0]])
    metric = ConfidenceWeightedF1(3)
    metric.update(probabilities.log(), torch.tensor([0, 0, 0, 0, 1]))
    f1_0, f1_1 = 0.8 / (0.8 + 3 * 0.4), 2 / (2 + 2 * 0.6)
    macro, weighted = (f1_0 + f1_1 + 0) / 3, (4 * f1_0 + f1_1) / 5
    assert macro < weighted < (f1_0 + f1_1) / 2
    assert metric.compute().item() == pytest.approx(weighted, rel=1e-6)


def test_with_equal_confidence_everywhere_the_weighted_f1_is_the_plain_one():
    # Logits this small give every class the same probability, so that the weights cancel.
    _, labels = rows()
    predicted = rows(seed=1)[1]
    logits = 1e-6 * nn.functional.one_hot(predicted, N_CLASSES).double()
    macro, weighted = (f1_score(labels, predicted, average=average) for average in ("macro", "weighted"))
    assert evaluate(logits, labels)["f1_confidence"] == pytest.approx(max(macro, weighted), rel=1e-5)


@pytest.mark.parametrize("bounds", [(1,), (100, 101, 400), tuple(range(7, N, 7))])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_do_not_matter(bounds, weighted):
    logits, labels = rows()
    weights = torch.linspace(0.1, 3, N_CLASSES, dtype=torch.float64) if weighted else None
    criterion = make_criterion("focal", 2.0, 0.1, weights)
    whole = evaluate(logits, labels, criterion=criterion)
    assert whole["loss"] == pytest.approx(criterion(logits, labels).item(), rel=1e-12)
    assert evaluate(logits, labels, bounds, criterion) == pytest.approx(whole, rel=1e-12)


def test_a_batch_that_weighs_nothing_leaves_the_loss_alone():
    logits, labels = rows(60)
    labels[:5] = 0
    criterion = make_criterion(class_weights=torch.tensor([0.0, 1, 1, 1, 1, 1], dtype=torch.float64))
    assert criterion(logits[:5], labels[:5]).isnan()
    got = evaluate(logits, labels, (5,), criterion)
    assert got["loss"] == pytest.approx(criterion(logits, labels).item())


def test_the_order_of_the_classes_does_not_matter():
    logits, labels = rows()
    order = torch.randperm(N_CLASSES, generator=torch.Generator().manual_seed(0))
    assert evaluate(logits[:, order], order.argsort()[labels]) == pytest.approx(evaluate(logits, labels))


def test_low_precision_logits_are_widened():
    logits, labels = rows()
    rounded = logits.bfloat16()
    assert evaluate(rounded, labels) == pytest.approx(evaluate(rounded.float(), labels), rel=1e-2)
    metrics = ConfidenceWeightedF1(N_CLASSES), ConfidenceWeightedF1(N_CLASSES)
    for metric, z in zip(metrics, (rounded, rounded.float()), strict=True):
        metric.update(z, labels)
    assert torch.equal(metrics[0].compute(), metrics[1].compute())


@pytest.mark.parametrize("cast", [lambda m: m.to(torch.bfloat16), nn.Module.bfloat16, nn.Module.half])
def test_sums_stay_wide_when_the_model_is_cast(cast):
    model = nn.Linear(2, 2)
    model.metrics = EvaluationMetrics(N_CLASSES)
    logits, labels = rows()
    model.metrics.update(logits, labels, torch.tensor(0.1), N)
    before = model.metrics.compute()
    model.metrics._computed = None
    assert cast(model).weight.dtype != torch.float32
    assert model.metrics.compute() == before
    model.metrics.reset()
    assert model.metrics.confidence.dtype == model.metrics.loss_sum.dtype == torch.float64


def test_update_never_waits_for_the_device():
    # Tensors on "meta" have no values: whatever reads one on the host raises.
    logits, labels = torch.empty(9, N_CLASSES, device="meta"), torch.empty(9, dtype=torch.int64, device="meta")
    loss = torch.empty((), device="meta")
    metrics = EvaluationMetrics(N_CLASSES).to("meta")
    metrics.update(logits, labels, loss, 9)
    metrics.update(logits, labels, loss, loss)
    ConfidenceWeightedF1(N_CLASSES).to("meta").update(logits, labels)
    tally = TrainingTally("meta")
    tally.add(loss, logits, labels, 9)
    tally.add_gradient_norm(loss)


def test_a_state_made_in_inference_mode_can_be_used_outside():
    logits, labels = rows()
    metrics = EvaluationMetrics(N_CLASSES)
    with torch.inference_mode():
        metrics.reset()
        metrics.update(logits, labels, torch.tensor(1.0), N)
    metrics.update(logits, labels, torch.tensor(2.0), N)
    assert metrics.compute()["loss"] == 1.5


@pytest.mark.filterwarnings("ignore:The ``compute`` method:UserWarning")
def test_without_rows_every_value_is_missing():
    metrics = EvaluationMetrics(N_CLASSES)
    assert all(value.isnan() for value in metrics.compute().values())
    metrics.update(*rows(), torch.tensor(1.0), N)
    assert not any(value.isnan() for value in metrics.compute().values())
    metrics.reset()
    assert all(value.isnan() for value in metrics.compute().values())


def test_two_metrics_merge_into_that_of_all_rows():
    logits, labels = rows()
    parts = [ConfidenceWeightedF1(N_CLASSES) for _ in range(3)]
    for metric, rows_of in zip(parts, (slice(0, 40), slice(40, None), slice(None)), strict=True):
        metric.update(logits[rows_of], labels[rows_of])
    parts[0].merge_state(parts[1])
    assert parts[0].compute().item() == pytest.approx(parts[2].compute().item(), rel=1e-12)


def training_steps(tally, logits, labels, sizes=(64, 100, 3)):
    criterion = make_criterion()
    start = 0
    for size in sizes:
        z, y = logits[start : start + size], labels[start : start + size]
        tally.add(criterion(z, y), z, y, criterion.normalizer(y))
        tally.add_gradient_norm(torch.tensor(float(size)))
        start += size
    return start


def test_the_training_tally_is_the_mean_over_rows_and_steps():
    logits, labels = rows()
    tally = TrainingTally()
    seen = training_steps(tally, logits, labels)
    expected = evaluate(logits[:seen], labels[:seen])
    got = tally.compute()
    assert got["loss"] == pytest.approx(expected["loss"], rel=1e-12)
    assert got["accuracy"] == pytest.approx(expected["accuracy"])
    assert got["grad_norm"] == pytest.approx((64 + 100 + 3) / 3)


def test_the_training_tally_does_not_drift():
    tally, logits, labels = TrainingTally(), torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64)
    tally.add(torch.tensor(1.0), logits, labels, 2**25)
    for _ in range(100):
        tally.add(torch.tensor(2.0), logits, labels, 1)
    assert tally.compute()["loss"] == pytest.approx((2**25 + 200) / (2**25 + 100), rel=1e-12)


def test_the_training_tally_survives_pickling_and_reset():
    tally = TrainingTally()
    training_steps(tally, *rows())
    copy = pickle.loads(pickle.dumps(tally))
    training_steps(copy, *rows(seed=3))
    training_steps(tally, *rows(seed=3))
    assert copy.compute() == tally.compute()
    tally.reset()
    assert all(value != value for value in tally.compute().values())
    training_steps(tally, *rows())
    fresh = TrainingTally()
    training_steps(fresh, *rows())
    assert tally.compute() == fresh.compute()


def test_the_training_tally_keeps_no_graph():
    logits, labels = rows()
    logits.requires_grad_()
    tally = TrainingTally()
    training_steps(tally, logits, labels)
    assert not any(value.requires_grad for value in vars(tally).values() if isinstance(value, torch.Tensor))


def one_rank(rank, folder):
    """Evaluate and tally this rank's share of the rows: 7 of 500 on rank 0, the others on rank 1."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    try:
        logits, labels = rows()
        share = slice(0, 7) if rank == 0 else slice(7, None)
        criterion = make_criterion(class_weights=torch.linspace(0.1, 3, N_CLASSES, dtype=torch.float64))
        result = {"evaluation": evaluate(logits[share], labels[share], (), criterion)}
        tally = TrainingTally()
        training_steps(tally, logits[share], labels[share], (4, 3) if rank == 0 else (9, 11))
        torch.save(result | {"training": tally.compute()}, f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_with_unequal_shares_give_the_numbers_of_one(tmp_path):
    # Forked, not spawned: what they need is imported already.
    mp.start_processes(partial(one_rank, folder=str(tmp_path)), nprocs=2, start_method="fork")
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    logits, labels = rows()
    criterion = make_criterion(class_weights=torch.linspace(0.1, 3, N_CLASSES, dtype=torch.float64))
    alone = evaluate(logits, labels, (), criterion)
    seen = torch.cat((torch.arange(7), torch.arange(7, 27)))
    training = evaluate(logits[seen], labels[seen])
    for rank in ranks:
        assert rank["evaluation"] == pytest.approx(alone, rel=1e-12)
        assert rank["training"]["loss"] == pytest.approx(training["loss"], rel=1e-12)
        assert rank["training"]["accuracy"] == pytest.approx(training["accuracy"], rel=1e-12)
        assert rank["training"]["grad_norm"] == pytest.approx((4 + 3 + 9 + 11) / 4)
