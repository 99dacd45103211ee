"""What one benchmark measured: rows of numbers, one number per run or pair of runs, each row with its bar."""

import datetime
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from .machine import Others, commit, machine

MISSED, MET, FAILED = 1, 0, 2
"""Exit codes of a benchmark; any but the first two means that it failed."""


@dataclass(frozen=True)
class Row:
    """One thing that was measured.

    Attributes:
        what: of what, as in ``batch 512``.
        values: one per run, or per pair of runs side by side.
        unit: of the values; ``x`` for a ratio.
        bar: what the median is asked to be, or None.
        sense: whether the bar is the least or the most that is asked.
        peer: what a ratio is taken against.
        ours: what repviz took in each run, in ``absolute`` units.
        theirs: what the peer took.
        absolute: unit of ``ours`` and ``theirs``.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    bar: float | None = None
    sense: Literal["least", "most"] = "least"
    peer: str = ""
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    absolute: str = ""

    def __post_init__(self) -> None:
        """Raises: ValueError: nothing was measured, so that no bar could ever be missed."""
        if not self.values:
            raise ValueError(f"{self.what}: no run was measured")

    @property
    def name(self) -> str:
        """What, and against whom."""
        return f"{self.what}, against {self.peer}" if self.peer else self.what

    @property
    def median(self) -> float:
        """What counts against the bar."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met, None without one; NaN meets none."""
        if self.bar is None:
            return None
        return self.median >= self.bar if self.sense == "least" else self.median <= self.bar


def rates(what: str, ours: Sequence[float], theirs: Sequence[float], absolute: str, **more: Any) -> Row:
    """A row of ratios, ours to theirs, of paired runs in which more is better, as samples per second are."""
    ratios = tuple(own / other for own, other in zip(ours, theirs, strict=True))
    return Row(what, ratios, "x", ours=tuple(ours), theirs=tuple(theirs), absolute=absolute, **more)


def times(what: str, ours: Sequence[float], theirs: Sequence[float], absolute: str = "s", **more: Any) -> Row:
    """A row of ratios, theirs to ours, of paired runs in which less is better: how many times as fast repviz is."""
    ratios = tuple(other / own for own, other in zip(ours, theirs, strict=True))
    return Row(what, ratios, "x", ours=tuple(ours), theirs=tuple(theirs), absolute=absolute, **more)


def multiples(what: str, ours: Sequence[float], theirs: Sequence[float], absolute: str = "s", **more: Any) -> Row:
    """A row of ratios, ours to theirs, in which less is better: how many times a floor, or a run without more to do."""
    return rates(f"{what} (less is better)", ours, theirs, absolute, **({"sense": "most"} | more))


@dataclass(frozen=True)
class Curve:
    """Cost against size, for a plot.

    Attributes:
        title: of the plot.
        size: title of the horizontal axis.
        cost: title of the vertical axis.
        lines: by name, ``(size, cost)`` in order of size.
    """

    title: str
    size: str
    cost: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass
class Record:
    """All that one benchmark has to say.

    Attributes:
        name: of the script.
        title: of its section.
        about: what was done, in a sentence or two.
        conditions: sizes, threads and the like.
        rows: what was measured.
        curves: cost against size.
        not_measured: what could not be measured and why (no GPU, a peer that is not installed), or empty.
        failed: how the script ended, if it did not end well.
        machine: see ``machine.machine``.
        commit: of the repository, with ``+`` when files differed from it.
        began: when, UTC.
        others: share of the processor that other programs took meanwhile; None where the system does not tell.
    """

    name: str
    title: str
    about: str
    conditions: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    not_measured: str = ""
    failed: str = ""
    machine: dict[str, str] = field(default_factory=machine)
    commit: str = field(default_factory=commit)
    began: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
    others: float | None = None

    def __post_init__(self) -> None:
        """Begin to watch what other programs take."""
        self._others = Others()

    def add(self, row: Row) -> Row:
        """Keep a row, in place of one of the same name, and print it."""
        self.rows[:] = [known for known in self.rows if known.name != row.name] + [row]
        print(spoken(row), flush=True)
        return row

    @property
    def missed(self) -> list[Row]:
        """Rows whose bar was missed."""
        return [row for row in self.rows if row.met is False]

    def finish(self, folder: Path) -> int:
        """Write ``folder/NAME.json``, say whether the bars are met; gives the exit code."""
        self.others = self._others.share()
        write(self, folder)
        if self.not_measured:
            print(f"not measured: {self.not_measured}")
        if any(row.bar is not None for row in self.rows):
            print(f"MISSED: {', '.join(row.name for row in self.missed)}" if self.missed else "bars met")
        return MISSED if self.missed else MET


def spoken(row: Row) -> str:
    """A row as one line of text."""
    line = f"{row.what}: {number(row.median)} {row.unit}"
    if len(row.values) > 1:
        line += f" ({number(min(row.values))} to {number(max(row.values))}, {len(row.values)} runs)"
    if row.ours:
        own, other = (f"{number(statistics.median(part))} {row.absolute}" for part in (row.ours, row.theirs))
        line += f"; {own} against {other}"
    if row.peer:
        line += f" of {row.peer}"
    return line if row.met is None else f"{line}; at {row.sense} {number(row.bar)}: {verdict(row)}"


def verdict(row: Row) -> str:
    """``met``, ``MISSED``, or a dash where nothing is asked."""
    return {True: "met", False: "MISSED", None: "–"}[row.met]


def number(value: float) -> str:
    """Three digits that count, or all of them before the point."""
    if value != value:  # NaN
        return "NaN"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        digits = 2 if abs(value) >= 1 else 3
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return f"{value:.1e}"


def write(record: Record, folder: Path) -> Path:
    """Write ``folder/NAME.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.name}.json"
    path.write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Record:
    """The record in a file that ``write`` wrote."""
    found = json.loads(path.read_text(encoding="utf-8"))
    sequences = ("values", "ours", "theirs")
    rows = [Row(**row | {name: tuple(row[name]) for name in sequences}) for row in found.pop("rows")]
    curves = [
        Curve(**curve | {"lines": {name: [tuple(p) for p in line] for name, line in curve["lines"].items()}})
        for curve in found.pop("curves")
    ]
    return Record(**found, rows=rows, curves=curves)
