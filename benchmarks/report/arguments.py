"""Options that benchmarks have in common."""

import argparse
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = (ROOT.parent / "shared" / "data" / "packages.npz", ROOT / "data" / "packages_small.npz")


def arguments(about: str, *, repeats: int | None = 5, data: bool = False) -> argparse.ArgumentParser:
    """A parser with ``--results``, and with ``--repeats`` and ``--data`` where they mean something."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the record is written")
    if repeats is not None:
        parser.add_argument(
            "--repeats", type=int, default=repeats, help="runs, or pairs of runs side by side (default: %(default)s)"
        )
    if data:
        parser.add_argument("--data", type=Path, default=next(path for path in DATA if path.exists()))
    return parser


def sentence(about: str) -> str:
    """What a docstring says after its commands, as one paragraph of Markdown."""
    first, *others = about.strip().split("\n\n")
    prose = [part for part in others if not part.startswith("    ")]
    return " ".join(" ".join(part.split()) for part in (prose or [first])).replace("``", "`")
