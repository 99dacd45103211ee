"""How loggers take a figure: each in its own way, some as what can be zoomed, some as a picture, some not at all."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from repviz.exports.drawing import Drawn

if TYPE_CHECKING:
    import plotly.graph_objects as go

Give = Callable[[Logger, str, Drawn, int], None]
"""``give(logger, name, drawn, step)``"""


@dataclass(frozen=True)
class Taker:
    """How a logger takes a figure.

    Attributes:
        give: gives it.
        as_image: whether it must be a picture.
    """

    give: Give
    as_image: bool


def taker_of(logger: Logger) -> Taker | None:
    """How ``logger`` takes figures; None where it takes none."""
    for known, taker in _TAKERS.items():
        if isinstance(logger, known):
            return taker
    return _ANY_WITH_IMAGES if callable(getattr(logger, "log_image", None)) else None


def _to_tensorboard(logger: TensorBoardLogger, name: str, drawn: Drawn, step: int) -> None:
    logger.experiment.add_image(_prefixed(logger, name), np.asarray(_picture(drawn)), step, dataformats="HWC")


def _to_wandb(logger: WandbLogger, name: str, drawn: Drawn, step: int) -> None:
    logger.log_metrics({name: _figure(drawn)}, step)  # with the step beside it, so that figures may come late


def _to_mlflow(logger: MLFlowLogger, name: str, drawn: Drawn, step: int) -> None:
    logger.experiment.log_figure(logger.run_id, _figure(drawn), f"{_prefixed(logger, name)}/step_{step:08d}.html")


def _prefixed(logger: Any, name: str) -> str:
    """As Lightning names the numbers of this logger."""
    prefix = getattr(logger, "_prefix", None)
    return f"{prefix}{logger.LOGGER_JOIN_CHAR}{name}" if prefix else name


def _as_lightning_has_it(logger: Any, name: str, drawn: Drawn, step: int) -> None:
    logger.log_image(key=name, images=[_picture(drawn)], step=step)


_TAKERS = {
    TensorBoardLogger: Taker(_to_tensorboard, as_image=True),
    WandbLogger: Taker(_to_wandb, as_image=False),
    MLFlowLogger: Taker(_to_mlflow, as_image=False),
}
_ANY_WITH_IMAGES = Taker(_as_lightning_has_it, as_image=True)


def _picture(drawn: Drawn) -> Any:
    from PIL import Image

    return Image.open(drawn.image).convert("RGB")


def _figure(drawn: Drawn) -> "go.Figure":
    import plotly.graph_objects as go

    return go.Figure(_with_lists(json.loads(drawn.figure.read_text("utf-8"))))


def _with_lists(value: Any) -> Any:
    """Arrays as lists: not every viewer of figures knows those that Plotly packs (base64, from its version 6 on)."""
    if isinstance(value, dict):
        if "bdata" in value:
            array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
            shape = [int(size) for size in str(value.get("shape", array.size)).split(",")]
            return array.reshape(shape).tolist()
        return {name: _with_lists(part) for name, part in value.items()}
    return [_with_lists(part) for part in value] if isinstance(value, list) else value
