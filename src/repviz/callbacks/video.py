"""The video of a run at the end of training."""

import logging
import sys
from pathlib import Path
from typing import Literal

from jsonargparse.typing import PositiveFloat, PositiveInt

from repviz.callbacks.after_run import AfterRun
from repviz.exports.video import Layout, Panel, VideoSettings, write_video
from repviz.theme import Theme

log = logging.getLogger("repviz")


class VideoCallback(AfterRun):
    """Writes a video of the maps in motion, exports/<layout>.mp4 in the run, when training has ended."""

    def __init__(
        self,
        enabled: bool = True,
        layout: Layout = "curves",
        layer: str | None = None,
        method: Literal["umap", "pca"] | None = None,
        panel: Panel = "none",
        theme: Theme = "dark",
        fps: PositiveInt = 30,
        seconds_per_epoch: PositiveFloat = 0.5,
        size: tuple[PositiveInt, PositiveInt] = (1280, 720),
        crf: int = 20,
    ) -> None:
        """Nothing is drawn yet; 'repviz export video' draws others later.

        Args:
            enabled: whether the video is made.
            layout: curves is one map with loss and accuracy beside it, single one map, grid the maps of all layers,
                film the last epoch's points passing through the layers.
            layer: the layer whose map is shown; left out, the penultimate one.
            method: umap or pca; left out, UMAP where there is one.
            panel: what else is shown with curves.
            theme: dark or light.
            fps: frames a second.
            seconds_per_epoch: time from one recorded epoch to the next.
            size: width and height in pixels, both even.
            crf: quality, 0 (perfect, large) to 51.
        """
        self.enabled = enabled
        self.settings = VideoSettings(
            layout=layout, layer=layer, method=method, panel=panel, theme=theme, fps=int(fps),
            seconds_per_epoch=float(seconds_per_epoch), size=(int(size[0]), int(size[1])), crf=crf,
        )  # fmt: skip

    def after_run(self, run_dir: Path) -> None:
        """Draw and encode."""
        log.info("video: %s", write_video(run_dir, self.settings, progress=sys.stderr.isatty()))
