"""Run benchmarks one after the other and write RESULTS.md from all records that are there.

    python -m benchmarks.report [NAMES ...] [--render]

Without names, all of them. One that misses a bar, or fails, does not stop the others; the end says which did, and the
exit code is 1 then.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from .arguments import RESULTS, ROOT
from .machine import commit, machine
from .plots import draw
from .record import MET, MISSED, Record, read, write
from .table import page

SCRIPTS = ROOT / "benchmarks"


def run(script: Path, results: Path) -> Record:
    """Run one benchmark; gives its record, which says so when the script failed and left none of its own."""
    target = results / f"{script.stem}.json"
    before = target.stat().st_mtime_ns if target.exists() else None
    code = subprocess.run([sys.executable, str(script), "--results", str(results)], cwd=ROOT, check=False).returncode
    written = target.exists() and target.stat().st_mtime_ns != before
    if written and (code in (MET, MISSED) or read(target).failed):
        return read(target)
    # What an earlier run measured does not stand for code that can no longer be measured.
    title = read(target).title if target.exists() else script.stem
    how = f"it ended with exit code {code}" + ("" if written else " and wrote no record")
    record = Record(script.stem, title, "", failed=how, machine=machine(), commit=commit())
    write(record, results)
    return record


def render(results: Path, target: Path) -> list[Record]:
    """Write the page and its plots; gives the records that it was made of."""
    records = [read(path) for path in sorted(results.glob("*.json"))]
    for path in results.glob("*.svg"):
        path.unlink()
    for record in records:
        for curve in record.curves:
            draw(record, curve, results)
    target.write_text(page(records), encoding="utf-8")
    return records


def said_at_the_end(records: list[Record]) -> list[str]:
    """A line for each benchmark that failed or missed a bar."""
    lines = [f"{record.name} FAILED: {record.failed}" for record in records if record.failed]
    return lines + [f"{record.name} MISSED: {row.name}" for record in records for row in record.missed]


def main(argv: list[str] | None = None, scripts: Path = SCRIPTS) -> int:
    """Run what is asked for; 0 when all ended well and all bars are met."""
    there = {path.stem: path for path in sorted(scripts.glob("*.py"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(there)}")
    parser.add_argument("--render", action="store_true", help="run nothing, write the page anew")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where records are")
    options = parser.parse_args(argv)
    unknown = [name for name in options.names if name not in there]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(there)}")
    records: list[Record] = []
    for name in [] if options.render else options.names or there:
        print(f"\n== {name}", flush=True)
        records.append(run(there[name], options.results))
    target = options.results.parent / "RESULTS.md"
    rendered = render(options.results, target)
    print(f"\nwritten: {target} ({len(rendered)} records)")
    lines = said_at_the_end(rendered if options.render else records)
    print("\n".join(lines) or "no bar missed, none failed")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
