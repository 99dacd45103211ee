"""The page ``RESULTS.md``, from the records that are there."""

import statistics
from collections.abc import Sequence

from .plots import file_name
from .record import Record, Row, number, verdict

_BUSY = 0.2
"""Share of the processor above which what others took is worth a word."""
_HEAD = """# Results

Written by `make bench` from the records in `benchmarks/results/`; `make bench ONLY="training landscape"` measures a
part again. A ratio is of runs side by side in one go, and above 1 where repviz is ahead unless its row says otherwise;
the median counts against the bar. What is lost is shown as MISSED.
"""


def page(records: Sequence[Record]) -> str:
    """Everything, as Markdown."""
    machines = _machines(records)
    parts = [_HEAD, _summary(records), _machine_table(machines)]
    parts += [_section(record, machines) for record in records]
    return "\n".join(parts)


def row_line(row: Row) -> str:
    """A row of a section's table."""
    spread = f"{number(min(row.values))} to {number(max(row.values))}" if len(row.values) > 1 else "–"
    absolute = "–"
    if row.ours:
        own, other = (number(statistics.median(part)) for part in (row.ours, row.theirs))
        absolute = f"{own} and {other} {row.absolute}"
    bar = "–" if row.bar is None else f"{'≥' if row.sense == 'least' else '≤'} {number(row.bar)}"
    said = verdict(row)
    cells = (row.what, row.peer or "–", f"**{number(row.median)}** {row.unit}", spread, str(len(row.values)), absolute)
    return f"| {' | '.join((*cells, bar, f'**{said}**' if row.met is False else said))} |"


def outcome(record: Record) -> str:
    """How a benchmark ended, in a few words."""
    if record.failed:
        return f"**FAILED**: {record.failed}"
    asked = [row for row in record.rows if row.bar is not None]
    said = []
    if record.missed:
        names = "; ".join(row.name for row in record.missed)
        said.append(f"**{len(record.missed)} of {len(asked)} bars MISSED**: {names}")
    elif record.rows:
        said.append(f"{len(asked)} of {len(asked)} bars met" if asked else "measured, no bar")
    if record.not_measured:
        said.append(f"not measured: {record.not_measured}")
    return "; ".join(said)


def _summary(records: Sequence[Record]) -> str:
    asked = sum(row.bar is not None for record in records for row in record.rows)
    missed = sum(len(record.missed) for record in records)
    lines = [f"**{asked - missed} of {asked} bars are met.**", "", "| benchmark | outcome |", "|---|---|"]
    lines += [f"| [{record.title}](#{_anchor(record.title)}) | {outcome(record)} |" for record in records]
    return "\n".join(lines) + "\n"


def _machines(records: Sequence[Record]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for record in records:
        if record.machine not in found:
            found.append(record.machine)
    return found


def _machine_table(machines: Sequence[dict[str, str]]) -> str:
    if not machines:
        return ""
    names = dict.fromkeys(name for facts in machines for name in facts)
    lines = [
        f"| | {' | '.join(f'machine {k + 1}' for k in range(len(machines)))} |",
        "|---" * (len(machines) + 1) + "|",
    ]
    lines += [f"| {name} | {' | '.join(facts.get(name, '–') for facts in machines)} |" for name in names]
    return "\n".join(lines) + "\n"


def _section(record: Record, machines: Sequence[dict[str, str]]) -> str:
    where = f"commit {record.commit}, machine {machines.index(record.machine) + 1}"
    when = f"`benchmarks/{record.name}.py`, {record.began}, {where}"
    lines = [f"## {record.title}", "", record.about, "", f"{when}. {_conditions(record)}".rstrip(), ""]
    if record.failed or record.not_measured:
        lines += [f"{outcome(record)}.", ""]
    if record.rows:
        lines += ["| what | against | median | min to max | runs | repviz and peer | bar | |", "|---" * 8 + "|"]
        lines += [*map(row_line, record.rows), ""]
    lines += [f"![{curve.title}](results/{file_name(record, curve)})" for curve in record.curves]
    return "\n".join(lines) + ("\n" if record.curves else "")


def _conditions(record: Record) -> str:
    said = "; ".join(f"{name}: {value}" for name, value in record.conditions.items())
    said = f"{said[0].upper()}{said[1:]}. " if said else ""
    if record.rows and record.others is not None and record.others > _BUSY:
        said += f"**Others took {record.others:.0%} of the processor** meanwhile: measure again."
    return said.strip()


def _anchor(title: str) -> str:
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
