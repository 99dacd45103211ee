"""Lightning's early stopping as a named block that one flag turns off."""

from typing import Any, Literal

from jsonargparse.typing import NonNegativeFloat, PositiveInt
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping


class EarlyStopping(LightningEarlyStopping):
    """Ends training when a metric has not improved for some epochs."""

    def __init__(
        self,
        enabled: bool = True,
        monitor: str = "val_accuracy",
        mode: Literal["max", "min"] = "max",
        patience: PositiveInt = 10,
        min_delta: NonNegativeFloat = 0.0,
    ) -> None:
        """Args:
        enabled: whether training may end early.
        monitor: a column of metrics.csv.
        mode: whether larger or smaller is better.
        patience: epochs without improvement before training ends.
        min_delta: what counts as improvement.
        """
        # Plain numbers: the patience goes into the checkpoint, which is read as mere data.
        super().__init__(monitor=monitor, mode=mode, patience=int(patience), min_delta=float(min_delta))
        self.enabled = enabled

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting, with the patience of this configuration rather than of the checkpoint."""
        super().load_state_dict({**state_dict, "patience": self.patience})
