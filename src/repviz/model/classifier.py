"""The LightningModule: an MLP on embeddings and tabular columns, its loss, optimiser and metrics."""

import inspect
import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jsonargparse.typing import (
    ClosedUnitInterval,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    restricted_number_type,
)
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from repviz.data.batches import Batch
from repviz.errors import UserError
from repviz.model.losses import balanced_class_weights, make_criterion
from repviz.model.metrics import EvaluationMetrics, TrainingTally
from repviz.model.mlp import MLP
from repviz.model.schedules import learning_rate_factor

ShareBelowOne = restricted_number_type("ShareBelowOne", float, [(">=", 0), ("<", 1)])

VAL, EXCLUDED = 0, 1
"""Positions of the validation loaders."""
_FUSED_ADAMW = ("cpu", "cuda")
"""Devices whose AdamW updates all parameters with one kernel: on a CPU that saves a quarter of a small step."""


class EmbeddingClassifier(LightningModule):
    """An MLP classifier of embeddings with optional tabular columns, by concatenation or FiLM.

    Widths and the number of classes are taken from the data when training starts, and are kept in the checkpoint.
    """

    def __init__(
        self,
        hidden_dims: Sequence[PositiveInt] = (512, 256),
        fusion: Literal["concat", "film", "none"] = "concat",
        activation: Literal["relu", "gelu"] = "relu",
        layer_norm: bool = True,
        dropout: ClosedUnitInterval = 0.3,
        residual: bool = False,
        loss: Literal["cross_entropy", "focal"] = "cross_entropy",
        focal_gamma: NonNegativeFloat = 2.0,
        label_smoothing: ShareBelowOne = 0.0,
        class_weights: Literal["none", "balanced"] | Sequence[PositiveFloat] = "none",
        lr: PositiveFloat = 1e-3,
        weight_decay: NonNegativeFloat = 1e-2,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup_epochs: NonNegativeInt = 1,
        n_features: PositiveInt | None = None,
        n_tabular: NonNegativeInt | None = None,
        n_classes: PositiveInt | None = None,
    ) -> None:
        """Settings of the network and its training.

        Args:
            hidden_dims: width of each block; none at all makes a logistic regression.
            fusion: how tabular columns join: concat at the input, film as scale and shift in every block, none.
            activation: of the blocks.
            layer_norm: whether each block normalises before its activation.
            dropout: share of a block's units dropped in training.
            residual: whether each block adds its input, projected where widths differ.
            loss: cross_entropy, or focal (Lin et al., 2017).
            focal_gamma: focusing of the focal loss.
            label_smoothing: share of the target spread over all classes, below 1.
            class_weights: weight of each class in the loss: none, balanced (inverse to its training rows), or a list.
            lr: peak learning rate of AdamW.
            weight_decay: of AdamW.
            schedule: cosine falls to zero at the last step.
            warmup_epochs: epochs over which the learning rate rises linearly from zero.
            n_features: width of the embeddings; left out, the data tells.
            n_tabular: number of tabular columns; left out, the data tells.
            n_classes: number of classes; left out, the data tells.
        """
        super().__init__()
        self.save_hyperparameters()
        self.hparams.update({name: _plain(value) for name, value in self.hparams.items()})
        self.network: MLP | None = None
        self._parameters_trained: list[nn.Parameter] = []
        if n_features is not None and n_classes is not None:
            self._build(int(n_features), int(n_tabular or 0), int(n_classes))

    def __setattr__(self, name: str, value: Any) -> None:
        """A text is no parameter, buffer or module: Lightning notes the name of a hook here 46 times a step."""
        if type(value) is str:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def setup(self, stage: str) -> None:
        """Compare the widths that came with the settings with the data's.

        Raises:
            UserError: they differ.
        """
        data = self.trainer.datamodule
        if self.network is None or data is None:
            return
        if self.hparams.n_tabular and not data.use_tabular:
            raise UserError(
                f"the network takes {self.hparams.n_tabular} tabular columns (model.fusion={self.hparams.fusion}), "
                "but data.use_tabular is false; leave it out"
            )
        if "train" in data.arrays.splits:
            self._check_widths(data)

    def configure_model(self) -> None:
        """Build the network from the data's widths, unless they came with the settings (a checkpoint's do).

        Raises:
            UserError: fusion is asked for and the data has no tabular columns.
        """
        if self.network is None:
            data = self.trainer.datamodule
            self._build(data.n_features, self._tabular_columns(data), len(data.classes), data)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits ``(n, n_classes)`` of ``embeddings (n, n_features)`` and ``tabular (n, n_tabular)``."""
        return self.network(*inputs)

    def sites(self) -> dict[str, nn.Module | None]:
        """Layer name to the module whose output it is; None stands for the first input."""
        return self.network.sites()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch; metrics stay on the device until the epoch ends."""
        inputs, targets = batch
        logits = self.network(*inputs)
        loss = self.criterion(logits, targets)
        self.tally.add(loss, logits, targets, self.criterion.normalizer(targets))
        return loss

    training_step.__signature__ = inspect.signature(training_step)  # which Lightning works out in every step

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Note the gradient's norm, as the optimiser is about to use it."""
        gradients = [p.grad for p in self._parameters_trained if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        self.tally.add_gradient_norm(norm, None if scaler is None else _scale_of(scaler, optimizer, norm))

    def on_fit_start(self) -> None:
        """Keep the epoch's sums where the steps run; one that is resumed in its midst has no start."""
        self.tally = TrainingTally(self.device)
        self._parameters_trained = list(self.network.parameters())

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's sums at zero."""
        self.tally.reset()
        self._parameters_trained = list(self.network.parameters())

    def on_train_epoch_end(self) -> None:
        """Log the epoch's training metrics."""
        values = self.tally.compute()
        learning_rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict(
            {
                "train_loss": values["loss"],
                "train_accuracy": values["accuracy"],
                "grad_norm": values["grad_norm"],
                "lr": learning_rate,
            },
            rank_zero_only=True,
        )

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = VAL) -> None:
        """Add a batch to the metrics of the validation rows, or of the excluded ones."""
        inputs, targets = batch
        logits = self.network(*inputs)
        weight = self.criterion.normalizer(targets)
        self.evaluation[dataloader_idx].update(logits, targets, self.criterion(logits, targets), weight)

    def on_validation_epoch_end(self) -> None:
        """Log what was evaluated; every rank takes part, whatever number of batches it had."""
        values = self.evaluation[VAL].compute()
        self.log_dict({f"val_{name}": value for name, value in values.items()}, prog_bar=True)
        self.evaluation[VAL].reset()
        if len(self.trainer.val_dataloaders) > EXCLUDED:
            excluded = self.evaluation[EXCLUDED].compute()
            self.log_dict({f"excl_{name}": excluded[name] for name in ("loss", "accuracy")})
        self.evaluation[EXCLUDED].reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the test metrics."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self.log_dict({f"test_{name}": value for name, value in self.evaluation[VAL].compute().items()})
        self.evaluation[VAL].reset()

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Rows of the batch and their class probabilities ``(n, n_classes)``."""
        inputs, rows = batch
        return rows, self.network(*inputs).float().softmax(dim=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW (one kernel for all parameters, where the device has it), and the schedule per step."""
        settings = self.hparams
        optimizer = torch.optim.AdamW(
            self.parameters(),
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            fused=self._fused(),
        )
        total = self.trainer.estimated_stepping_batches
        # Known once the total has been asked for, and independent of where training ends.
        batches = self.trainer.num_training_batches if math.isfinite(total) else 0
        warmup = settings.warmup_epochs * math.ceil(batches / self.trainer.accumulate_grad_batches)
        factor = learning_rate_factor(settings.schedule, warmup_steps=warmup, total_steps=total)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _fused(self) -> bool | None:
        """Whether; None leaves it to torch, as where float16 gradients are unscaled to be clipped before the update."""
        scaled_and_clipped = self.trainer.precision == "16-mixed" and self.trainer.gradient_clip_val
        return True if self.device.type in _FUSED_ADAMW and not scaled_and_clipped else None

    def _build(self, n_features: int, n_tabular: int, n_classes: int, data: Any = None) -> None:
        settings = self.hparams
        settings.update({"n_features": n_features, "n_tabular": n_tabular, "n_classes": n_classes})
        self.network = MLP(
            n_features,
            n_classes,
            hidden_dims=tuple(settings.hidden_dims),
            n_tabular=n_tabular,
            fusion=settings.fusion,
            activation=settings.activation,
            layer_norm=settings.layer_norm,
            dropout=settings.dropout,
            residual=settings.residual,
        )
        self.criterion = make_criterion(
            settings.loss,
            gamma=settings.focal_gamma,
            label_smoothing=settings.label_smoothing,
            class_weights=self._class_weights(n_classes, data),
        )
        self.evaluation = nn.ModuleList([EvaluationMetrics(n_classes), EvaluationMetrics(n_classes)])

    def _class_weights(self, n_classes: int, data: Any) -> Tensor | None:
        wanted = self.hparams.class_weights
        if wanted == "none":
            return None
        if wanted == "balanced":
            # From a checkpoint, the weights come with the state that is loaded into this buffer.
            return torch.ones(n_classes) if data is None else balanced_class_weights(data.class_counts())
        if len(wanted) != n_classes:
            raise UserError(f"model.class_weights has {len(wanted)} weights, the data has {n_classes} classes")
        return torch.tensor(wanted, dtype=torch.float32)

    def _tabular_columns(self, data: Any) -> int:
        """How many tabular columns the network takes."""
        if self.hparams.fusion == "none":
            return 0
        if data.n_tabular:
            return data.n_tabular
        why = "data.use_tabular is false" if not data.use_tabular else f"{data.path} has no tabular columns"
        raise UserError(
            f"model.fusion={self.hparams.fusion} needs tabular columns, but {why}. "
            "Set model.fusion=none and data.use_tabular=false, as configs/embeddings.yaml does."
        )

    def _check_widths(self, data: Any) -> None:
        found = {"n_features": data.n_features, "n_classes": len(data.classes)}
        for name, value in found.items():
            if self.hparams[name] != value:
                raise UserError(
                    f"the checkpoint or model.{name} says {self.hparams[name]}, {data.path} has {value}; "
                    f"leave model.{name} out, or name the data that the checkpoint was trained on"
                )


def _plain(value: Any) -> Any:
    """``value`` without the command line's number types: a checkpoint that is read as mere data knows only Python's."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _scale_of(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer, like: Tensor) -> Tensor:
    """What gradients are still multiplied by, on their device: a fused optimiser divides by it within its step."""
    one = torch.ones_like(like)
    return scaler.scale(one) if getattr(optimizer, "_step_supports_amp_scaling", False) else one
