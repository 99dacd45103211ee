"""scikit-learn's and skorch's classifiers: the network and optimiser of ``repviz fit``, a val score each epoch."""

import time
import warnings
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn

from training_parts.setting import EVALUATION_BATCH, Rows, Setting, adamw, network

WITHOUT_DECAY = 0.0


def by_scikit_learn(rows: Rows, setting: Setting) -> tuple[list[float], float]:
    """Moments at which epochs began and the end, and the last val accuracy; in single precision, as all others."""
    (x, y), (x_val, y_val) = ((inputs.numpy(), labels.numpy()) for inputs, labels in rows.values())
    classes = list(range(int(y.max()) + 1))
    model = MLPClassifier(
        setting.hidden, solver="adam", alpha=WITHOUT_DECAY, batch_size=setting.batch, learning_rate_init=setting.lr,
        shuffle=True, random_state=0,
    )  # fmt: skip
    moments, score = [], float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(setting.epochs):
            moments.append(time.perf_counter())
            model.partial_fit(x, y, classes=classes)
            score = model.score(x_val, y_val)
    return [*moments, time.perf_counter()], float(score)


def by_skorch(rows: Rows, setting: Setting) -> tuple[list[float], float]:
    """Moments at which epochs began and the end, and the last val accuracy."""
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    moments: list[float] = []

    class Moments(Callback):
        """When epochs began."""

        def on_epoch_begin(self, net: Any, **_: Any) -> None:
            """Note the moment."""
            moments.append(time.perf_counter())

    (x, y), val = rows["train"], Dataset(*rows["val"])

    def optimizer(groups: Any, lr: float) -> torch.optim.Optimizer:
        return adamw([parameter for group in groups for parameter in group["params"]], lr, WITHOUT_DECAY)

    net = NeuralNetClassifier(
        network(x.shape[1], int(y.max()) + 1, setting), criterion=nn.CrossEntropyLoss, optimizer=optimizer,
        lr=setting.lr, max_epochs=setting.epochs, batch_size=setting.batch, iterator_train__shuffle=True,
        iterator_valid__batch_size=EVALUATION_BATCH, train_split=predefined_split(val), callbacks=[Moments()],
        callbacks__print_log=None, classes=list(range(int(y.max()) + 1)),
    )  # fmt: skip
    net.fit(x, y)
    return [*moments, time.perf_counter()], float(net.history[-1, "valid_acc"])
