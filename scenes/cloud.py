"""The points of the sample, in the colours of their classes and the shapes of their splits."""

import cairo
import numpy as np

from repviz.scenes.legend import NO_CLASS
from repviz.scenes.lettering import PIXEL
from repviz.scenes.painting import Box, ink, marks
from repviz.theme import SPLIT_SIZES, SPLIT_SYMBOLS, Look, class_colors


class Cloud:
    """Points grouped by what they look like; those of val above those of train."""

    def __init__(
        self, labels: np.ndarray, splits: np.ndarray, n_classes: int, look: Look, opacity: np.ndarray | float = 0.85
    ) -> None:
        """Args: ``(n,)`` classes, ``(n,)`` split codes, how many classes, the colours, opacity of all or of each."""
        colors = class_colors(n_classes)
        opacity = np.broadcast_to(np.round(np.asarray(opacity, float), 1), labels.shape)
        self._groups = []
        for split in (2, 0, 1):
            for label in [NO_CLASS, *range(n_classes)]:
                of_group = (splits == split) & (labels == label)
                for share in np.unique(opacity[of_group]):
                    rows = np.flatnonzero(of_group & (opacity == share))
                    color = look.no_class if label == NO_CLASS else colors[label]
                    self._groups.append((rows, SPLIT_SYMBOLS[split], SPLIT_SIZES[split], color, float(share)))

    def paint(self, context: cairo.Context, places: np.ndarray, opacity: float = 1.0) -> None:
        """Draw the points at ``(n, 2)`` places."""
        for rows, shape, size, color, share in self._groups:
            ink(context, color, share * opacity)
            marks(context, shape, places[rows], 0.75 * size * PIXEL)


def fitted(places: np.ndarray, box: Box, extent: tuple[float, float, float, float] | None = None) -> np.ndarray:
    """``(..., 2)`` coordinates brought into the box, with one scale for both axes.

    Args:
        places: coordinates.
        box: in units of the scene.
        extent: x_min, x_max, y_min, y_max of what has to fit; of the places themselves when not given.
    """
    if extent is None:
        flat = places.reshape(-1, 2)
        (x_min, y_min), (x_max, y_max) = flat.min(0), flat.max(0)
    else:
        x_min, x_max, y_min, y_max = extent
    scale = min(box[2] / ((x_max - x_min) or 1.0), box[3] / ((y_max - y_min) or 1.0))
    middle = np.array([(x_min + x_max) / 2, (y_min + y_max) / 2])
    return (places - middle) * scale + [box[0] + box[2] / 2, box[1] + box[3] / 2]
