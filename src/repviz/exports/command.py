"""``repviz export``: its options, read before anything heavy is imported."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from repviz.exports.video import LAYOUTS, PANELS, VideoSettings
from repviz.theme import LOOKS

Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_export(commands: Commands) -> None:
    """Add the subcommands of ``export``."""
    _add_video(_command(commands, "video", _video, "the maps in motion, as MP4, WebM or GIF"))
    _add_figures(_command(commands, "figures", _figures, "every figure as HTML, PNG and SVG"))
    _add_report(_command(commands, "report", _report, "one HTML file with everything, that opens offline"))
    _add_files(_command(commands, "tensorboard", _tensorboard, "the files of TensorBoard's Embedding Projector"), "DIR")
    _add_files(_command(commands, "parquet", _parquet, "a table with a row per point, for other viewers"), "FILE")
    npz = _command(commands, "npz", _npz, "projections, probes, landscapes and surfaces as npz and csv, all epochs")
    _add_out(npz, "DIR")


def _command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=run)
    parser.add_argument("--run-dir", type=Path, default=None, metavar="RUN", help="default: the newest run")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), metavar="DIR", help="folder of the runs")
    return parser


def _add_video(parser: argparse.ArgumentParser) -> None:
    default = VideoSettings()
    parser.add_argument("--layout", choices=LAYOUTS, default=default.layout, help="default: %(default)s")
    parser.add_argument("--layer", default=None, help="whose map is shown; default: the penultimate")
    parser.add_argument("--method", default=None, help="umap or pca; default: umap where there is one")
    parser.add_argument("--panel", choices=PANELS, default=default.panel, help="a diagnostic beside the curves")
    _add_theme(parser, default.theme)
    parser.add_argument("--fps", type=int, default=default.fps, help="frames a second (default: %(default)s)")
    parser.add_argument(
        "--seconds-per-epoch",
        type=float,
        default=default.seconds_per_epoch,
        help="from one recorded epoch to the next (default: %(default)s)",
    )
    parser.add_argument("--size", type=_size, default=default.size, metavar="WxH", help="pixels (default: 1280x720)")
    parser.add_argument("--crf", type=int, default=default.crf, help="0 (perfect) to 51 (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=None, metavar="FILE", help="ends in .mp4, .webm or .gif")


def _add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", type=_names, default=None, help="as in probe,metrics; default: all")
    _add_epoch(parser)
    _add_theme(parser, "light")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: exports/figures in the run")
    parser.add_argument("--html-only", action="store_true", help="no PNG and SVG, which need kaleido and a browser")


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_epoch(parser)
    parser.add_argument("--layers", type=_names, default=None, help="whose maps play, as in input,logits")
    parser.add_argument("--method", default=None, help="umap or pca; default: umap where there is one")
    _add_theme(parser, "light")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="default: exports/report.html in the run"
    )


def _add_files(parser: argparse.ArgumentParser, what: str) -> None:
    _add_epoch(parser)
    _add_out(parser, what)


def _add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=Path, default=None, metavar=what, help="default: in the run's exports folder")


def _add_epoch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epoch", default="best", help="best, last or a number; the nearest measured (default: best)")


def _add_theme(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--theme", choices=tuple(LOOKS), default=default, help="default: %(default)s")


def _video(options: argparse.Namespace) -> None:
    from repviz.exports.video import write_video

    fields = VideoSettings.__dataclass_fields__
    settings = VideoSettings(**{name: getattr(options, name) for name in fields})
    _written(write_video(_run_dir(options), settings, progress=True))


def _figures(options: argparse.Namespace) -> None:
    from repviz.exports.figures import write_figures

    written = write_figures(
        _run_dir(options),
        options.out,
        kinds=options.kind,
        epoch=options.epoch,
        theme=options.theme,
        images=not options.html_only,
    )
    sys.stdout.write(f"written: {len(written)} {'file' if len(written) == 1 else 'files'} in {written[0].parent}\n")


def _report(options: argparse.Namespace) -> None:
    from repviz.exports.report import write_report

    chosen = {name: getattr(options, name) for name in ("epoch", "layers", "method", "theme")}
    _written(write_report(_run_dir(options), options.out, **chosen))


def _tensorboard(options: argparse.Namespace) -> None:
    from repviz.exports.tensorboard import write_tensorboard

    out = write_tensorboard(_run_dir(options), options.out, epoch=options.epoch)
    sys.stdout.write(f"written: {out}; look at it with: tensorboard --logdir {out}\n")


def _parquet(options: argparse.Namespace) -> None:
    from repviz.exports.parquet import write_parquet

    _written(write_parquet(_run_dir(options), options.out, epoch=options.epoch))


def _npz(options: argparse.Namespace) -> None:
    from repviz.exports.npz import write_npz

    _written(write_npz(_run_dir(options), options.out))


def _run_dir(options: argparse.Namespace) -> Path:
    from repviz.store.listing import named_or_newest

    return named_or_newest(options.run_dir, options.runs_dir)


def _written(path: Path) -> None:
    sys.stdout.write(f"written: {path}\n")


def _names(text: str) -> list[str]:
    return text.split(",")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, as in 1280x720") from None
    return width, height
