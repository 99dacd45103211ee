"""The ``repviz`` command: decides what is asked before importing anything heavy."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from repviz import logs
from repviz.errors import UserError
from repviz.exports.command import add_export
from repviz.scenes.command import add_scenes
from repviz.version import __version__

TRAINER_COMMANDS = {
    "fit": "train a classifier and record what it learns",
    "validate": "measure a checkpoint on the validation rows",
    "test": "measure a checkpoint on the test rows",
    "predict": "write labels, probabilities and ids of new rows to a file",
}

_EPILOG = """\
start here:
  repviz fit --config configs/concat.yaml     train on the data that the file names
  repviz dashboard                            watch it, in another terminal
  repviz data inspect MY_DATA.npz             what is in my data, and is it as it should be?

Every setting of a YAML file can be given on the command line: --data.path FILE, --model.lr 0.001,
--projection.enabled=false. 'repviz COMMAND --help' lists them."""


def main(argv: list[str] | None = None) -> None:
    """Run a command; what is the user's to mend ends with one message and exit code 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    logs.show("repviz")
    try:
        if argv and argv[0] in TRAINER_COMMANDS:
            from repviz.training.cli import run

            run([argv[0], *_with_underscores(argv[1:])])
        else:
            options = _parser().parse_args(_with_dashes(argv))
            options.command(options)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone, as `| head` does
        sys.exit(1)


class _Parser(argparse.ArgumentParser):
    """One whose mistakes are one line, as everyone else's."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} ('{self.prog} --help' says what there is)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="repviz",
        description="See a classifier learn: train on embeddings, watch every layer's representation, epoch by epoch.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"repviz {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in TRAINER_COMMANDS.items():
        # Listed here, run by Lightning's command line: main() never gets here with them.
        commands.add_parser(name, help=text)
    _add_dashboard(_command(commands, "dashboard", _dashboard, "look at runs in the browser, live"))
    _add_runs_dir(_command(commands, "runs", _runs, "list the runs with their state and best metrics"))
    verify = _command(commands, "verify", _verify, "check that a run's diagnostics are complete and without errors")
    verify.add_argument("--run-dir", type=Path, default=None, metavar="RUN", help="default: the newest run")
    _add_runs_dir(verify)
    _add_diagnose(_command(commands, "diagnose", _diagnose, "compute a run's missing diagnostics from its checkpoints"))
    _add_import(_command(commands, "import-embeddings", _import, "make a run of activations that were saved elsewhere"))
    export = commands.add_parser("export", help="take a run elsewhere: video, figures, report, other tools' files")
    add_export(export.add_subparsers(title="what", metavar="WHAT", required=True))
    add_scenes(commands.add_parser("scenes", help="films of a run, drawn with Manim", description="Films of a run."))
    data = commands.add_parser("data", help="inspect or convert a data file", description="Look at a data file.")
    _add_data(data.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return parser


def _command(
    commands: "argparse._SubParsersAction", name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=run)
    return parser


def _add_runs_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs-dir", default="runs", metavar="DIR", help="folder of the runs (default: %(default)s)")


def _add_dashboard(parser: argparse.ArgumentParser) -> None:
    _add_runs_dir(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8050, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument(
        "--password",
        default=None,
        help="ask for it before anything is shown; better set REPVIZ_PASSWORD, which no list of processes shows",
    )
    parser.add_argument("--read-only", action="store_true", help="refuse every request that is not for reading")


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run-dir", type=Path, default=None, metavar="RUN", help="default: the newest run")
    _add_runs_dir(parser)
    parser.add_argument("--data", default=None, metavar="PATH", help="the run's data, where it has moved")
    parser.add_argument("--epochs", type=_epochs, default=None, help="0,5,10 or 0:50:5; default: those that are due")
    parser.add_argument("--only", type=_kinds, default=None, metavar="KINDS", help="as in probe,projection")
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="KIND.NAME=VALUE",
        help="another value for a setting of the run's configuration; may be given several times",
    )
    parser.add_argument("--overwrite", action="store_true", help="compute again what is there")
    parser.add_argument("--force", action="store_true", help="go on with other data than the run was trained on")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes (default: %(default)s)")
    where.add_argument("--scheduler", default=None, metavar="ADDRESS", help="a Dask scheduler, as in tcp://host:8786")
    parser.add_argument(
        "--threads", type=_count, default=None, metavar="N", help="of each process; default: torch's, shared out"
    )
    parser.add_argument("--device", default="cpu", help="to look on, as in cuda or cuda:1 (default: %(default)s)")
    parser.add_argument("--trust-pickle", action="store_true", help="run whatever code the data's pickles hold")


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILES", help="npy or npz, one per epoch, or folders")
    parser.add_argument("--labels", type=Path, required=True, metavar="FILE", help="npy; or npz with labels, split, …")
    parser.add_argument("--only", type=lambda text: text.split(","), default=None, help="kinds, as in probe,projection")
    parser.add_argument("--seed", type=int, default=0, help="of the split, where none is given")
    _add_runs_dir(parser)


def _epochs(text: str) -> list[int]:
    """``0,5,10`` as it says, ``0:50:5`` from 0 to 50 in steps of 5, the end included."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?::(\d+))?(?::(\d+))?", part.strip())
        first, last, step = (int(match[1]), int(match[2] or match[1]), int(match[3] or 1)) if match else (0, -1, 1)
        if last < first or step < 1:
            raise argparse.ArgumentTypeError(
                f"{part!r} is neither an epoch nor FIRST:LAST:STEP, as in 0,5,10 or 0:50:5"
            )
        found += range(first, last + 1, step)
    return found


def _kinds(text: str) -> list[str]:
    return [kind.strip() for kind in text.split(",") if kind.strip()]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _setting(text: str) -> tuple[str, object]:
    import yaml

    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND.NAME=VALUE, as in projection.n_neighbors=30")
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not a YAML value") from error


def _add_data(commands: "argparse._SubParsersAction") -> None:
    inspect = _command(commands, "inspect", _inspect, "shapes, classes, scaling and missing values of a data file")
    convert = _command(commands, "convert", _convert, "write any readable data as one .npz file or a folder of arrays")
    for parser in (inspect, convert):
        parser.add_argument("path", metavar="PATH", help="an .npz or .pkl file, or a folder of arrays or pickles")
        parser.add_argument("--val-split", type=float, default=0.2, help="validation share of unsplit data")
        parser.add_argument("--seed", type=int, default=0, help="of that split")
        parser.add_argument("--trust-pickle", action="store_true", help="run whatever code a pickle holds")
    convert.add_argument("--out", required=True, metavar="FILE.npz|FOLDER/", help="file or folder to write")
    convert.add_argument("--overwrite", action="store_true", help="replace it if it is there")


def _dashboard(options: argparse.Namespace) -> None:
    from repviz.dashboards.serve import dashboard

    dashboard(
        options.runs_dir,
        options.host,
        options.port,
        options.open,
        password=options.password,
        read_only=options.read_only,
    )


def _runs(options: argparse.Namespace) -> None:
    from repviz.store.listing import table

    sys.stdout.write(table(Path(options.runs_dir)))


def _verify(options: argparse.Namespace) -> None:
    from repviz.store.listing import problems

    run_dir = _run_dir(options)
    found = problems(run_dir)
    for line in found:
        sys.stderr.write(f"{line}\n")
    if found:
        sys.exit(1)
    sys.stdout.write(f"{run_dir}: every configured diagnostic is there, none failed\n")


def _diagnose(options: argparse.Namespace) -> None:
    run_dir = _run_dir(options)
    from repviz.offline.diagnosing import diagnose

    computed = diagnose(
        run_dir,
        data_path=options.data,
        epochs=options.epochs,
        only=options.only,
        settings=dict(options.set),
        overwrite=options.overwrite,
        force=options.force,
        jobs=options.jobs,
        threads=options.threads,
        scheduler=options.scheduler,
        device=options.device,
        trust_pickle=options.trust_pickle,
    )
    sys.stdout.write(f"{computed} computed\n")


def _import(options: argparse.Namespace) -> None:
    from repviz.importing import import_embeddings

    runs_dir = Path(options.runs_dir)
    made = import_embeddings(options.files, options.labels, runs_dir, only=options.only, seed=options.seed)
    sys.stdout.write(f"written: {made}; look at it with: repviz dashboard --runs-dir {runs_dir}\n")


def _run_dir(options: argparse.Namespace) -> Path:
    from repviz.store.listing import named_or_newest

    return named_or_newest(options.run_dir, Path(options.runs_dir))


def _inspect(options: argparse.Namespace) -> None:
    from repviz.data.inspect import summary

    sys.stdout.write(
        summary(options.path, val_split=options.val_split, seed=options.seed, trust_pickle=options.trust_pickle)
    )


def _convert(options: argparse.Namespace) -> None:
    from repviz.data.converting import convert

    convert(
        options.path,
        options.out,
        val_split=options.val_split,
        seed=options.seed,
        trust_pickle=options.trust_pickle,
        overwrite=options.overwrite,
    )
    sys.stdout.write(f"written: {options.out}\n")


def _with_underscores(argv: list[str]) -> list[str]:
    """Option names as Lightning's command line knows them; values stay as they are."""
    return [_renamed(word, "-", "_") for word in argv]


def _with_dashes(argv: list[str]) -> list[str]:
    """Option names as the light commands know them."""
    return [_renamed(word, "_", "-") for word in argv]


def _renamed(word: str, old: str, new: str) -> str:
    if not word.startswith("--") or word == "--":
        return word
    name, equals, value = word[2:].partition("=")
    return f"--{name.replace(old, new)}{equals}{value}"
