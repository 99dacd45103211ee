"""Pictures to a film: H.264 or VP9 through PyAV, which carries its codecs, or GIF through Pillow."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np

from repviz.atomic import replacing
from repviz.errors import UserError

_WAITING = 4
"""Pictures drawn ahead of the encoder."""
_GIF_COLORS = 256
_PALETTE_PICTURES = 8
"""A GIF's colours are chosen from this many pictures at its beginning."""
_BT709 = 1
"""FFmpeg's number of the colours of HD video."""
_CODECS = {
    ".mp4": ("libx264", {"preset": "veryfast"}, {"movflags": "+faststart"}),
    ".webm": ("libvpx-vp9", {"b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}, {}),
}


def encode(target: Path, pictures: Iterable[np.ndarray], *, fps: float, size: tuple[int, int], crf: int) -> None:
    """Write ``pictures`` as a video in the format that the ending of ``target`` names.

    Args:
        target: ``.mp4``, ``.webm`` or ``.gif``; it appears when it is whole, and stays as it was if that fails.
        pictures: ``(height, width, 3)`` uint8, at least one.
        fps: pictures a second.
        size: width and height of each.
        crf: quality of MP4 and WebM, 0 to 51.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            if target.suffix.lower() == ".gif":
                _write_gif(temporary, pictures, fps)
            else:
                _write_film(temporary, pictures, target.suffix.lower(), fps, size, crf)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error


def _write_film(
    path: Path, pictures: Iterable[np.ndarray], ending: str, fps: float, size: tuple[int, int], crf: int
) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    codec, options, container_options = _CODECS[ending]
    with av.open(path, "w", format=ending[1:], options=container_options) as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options | {"crf": str(crf)})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG

        def write(picture: np.ndarray) -> None:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            container.mux(stream.encode(frame))

        with _in_background(write) as put:
            for picture in pictures:
                put(picture)
        container.mux(stream.encode())


def _write_gif(path: Path, pictures: Iterable[np.ndarray], fps: float) -> None:
    """One palette for all pictures, so that what stands still does not shimmer."""
    from PIL import Image

    pictures = iter(pictures)
    ahead = list(islice(pictures, _PALETTE_PICTURES))
    sheet = Image.fromarray(np.concatenate([picture[::2, ::2] for picture in ahead]))
    palette = sheet.quantize(_GIF_COLORS, method=Image.Quantize.MEDIANCUT)

    def reduced() -> Iterator[Image.Image]:
        for picture in chain(ahead, pictures):
            yield Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)

    images = reduced()
    first = next(images)
    first.save(path, format="GIF", save_all=True, append_images=images, duration=1000 / fps, loop=0, optimize=False)


@contextmanager
def _in_background(work: Callable[[np.ndarray], None]) -> Iterator[Callable[[np.ndarray], None]]:
    """Do ``work`` in order in one other thread, a few pieces behind; what it raises is raised here.

    Encoding leaves the interpreter free, so that the next picture is drawn meanwhile.
    """
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as pool:

        def put(picture: np.ndarray) -> None:
            waiting.append(pool.submit(work, picture))
            if len(waiting) > _WAITING:
                waiting.popleft().result()

        yield put
        for left in waiting:
            left.result()
