"""From a scene's name to a film: Manim draws it in a folder of its own, the film appears when it is whole."""

import importlib
import re
import shutil
import tempfile
from pathlib import Path

from manim import tempconfig

from repviz.atomic import replacing
from repviz.errors import UserError
from repviz.scenes.stage import RunScene
from repviz.theme import Theme


def scene_class(name: str) -> type[RunScene]:
    """The scene of that name; its module is the name in snake case."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return getattr(importlib.import_module(f"repviz.scenes.{module}"), name)


def render(run_dir: Path, scene: str, target: Path, *, quality: tuple[int, int, int], theme: Theme = "dark") -> None:
    """Write the film of a scene, H.264 in MP4.

    Args:
        run_dir: the run, finished or still running.
        scene: name of its class.
        target: file to write.
        quality: width, height and frames a second.
        theme: ``dark`` or ``light``.

    Raises:
        UserError: the run lacks what the scene needs, or the file cannot be written.
    """
    width, height, fps = quality
    with tempfile.TemporaryDirectory(prefix="repviz-scene-") as folder:
        settings = {
            "renderer": "cairo",
            "pixel_width": width,
            "pixel_height": height,
            "frame_rate": fps,
            "media_dir": folder,
            "output_file": scene,
            "format": "mp4",
            "write_to_movie": True,
            "save_last_frame": False,
            "save_sections": False,
            "dry_run": False,
            "preview": False,
            "progress_bar": "none",
            "verbosity": "WARNING",
            "disable_caching": True,
        }
        with tempconfig(settings):
            played = type(scene, (scene_class(scene),), {"run_dir": run_dir, "theme": theme})()
            played.render()
            film = Path(played.renderer.file_writer.movie_file_path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as temporary:
                shutil.copyfile(film, temporary)
        except OSError as error:
            raise UserError(f"{target} cannot be written: {error.strerror or error}") from error
