"""A plain PyTorch loop over tensors that lie on the device, which computes the metrics that ``repviz fit`` does."""

import time

import torch
from torch import nn

from repviz.model.metrics import EvaluationMetrics
from training_parts.setting import EVALUATION_BATCH, Rows, Setting, adamw, network, schedule


def by_hand(rows: Rows, setting: Setting) -> list[float]:
    """Train; gives the moments at which epochs began, and the end. Nothing waits for the device within an epoch."""
    device = torch.device(setting.device)
    (x, y), (x_val, y_val) = ((inputs.to(device), labels.to(device)) for inputs, labels in rows.values())
    n_classes = int(y.max()) + 1
    model = network(x.shape[1], n_classes, setting).to(device)
    criterion, metrics = nn.CrossEntropyLoss(), EvaluationMetrics(n_classes).to(device)
    optimizer = adamw(model.parameters(), setting.lr)
    scheduler = schedule(optimizer, setting.steps(len(x)))
    moments = []
    for _ in range(setting.epochs):
        moments.append(time.perf_counter())
        model.train()
        sums = torch.zeros(3, dtype=torch.float64, device=device)
        for chosen in torch.randperm(len(x), device=device).split(setting.batch):
            inputs, labels = x[chosen], y[chosen]
            logits = model(inputs)
            loss = criterion(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
            optimizer.step()
            scheduler.step()
            hits = (logits.detach().argmax(1) == labels).count_nonzero()
            sums += torch.stack([loss.detach() * len(labels), hits.float(), norm])
        sums.tolist()
        model.eval()
        with torch.no_grad():
            for inputs, labels in zip(x_val.split(EVALUATION_BATCH), y_val.split(EVALUATION_BATCH), strict=True):
                logits = model(inputs)
                metrics.update(logits, labels, criterion(logits, labels), len(labels))
        {name: float(value) for name, value in metrics.compute().items()}
        metrics.reset()
    return [*moments, time.perf_counter()]
