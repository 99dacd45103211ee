"""How long one waits for the command: ``repviz --help``, ``repviz runs``, and the first step of ``repviz fit``.

    python benchmarks/startup.py [--repeats 5] [--runs 20]

Each is a new process, timed from its start to its end, or until the first training step begins. Warm: its files are in
the system's cache from a run before. Cold: the system is asked to forget the files of Python and of its packages
before (those that another process uses at the time stay). ``fit`` takes configs/concat.yaml on the small sample of
data with diagnostics in the background, as a first user has it.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from dashboard_parts.made_run import MadeRun
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row
from startup_parts.first_step import SAID

MOST_HELP, MOST_RUNS, MOST_FIT = 0.6, 1.5, 20.0


def forget() -> None:
    """Ask the system to drop the files of Python's library and of all packages from its cache; Linux alone can."""
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *filter(os.path.isdir, sys.path)}:
        for path in Path(folder).rglob("*"):
            if path.suffix in {".py", ".pyc"} or ".so" in path.suffixes:
                descriptor = os.open(path, os.O_RDONLY)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def seconds_of(*words: str) -> float:
    """Until ``repviz`` has ended."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "repviz", *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def seconds_to_first_step(runs_dir: str) -> float:
    """Until ``repviz fit`` begins its first step; then it is told to end."""
    words = ["fit", f"--config={ROOT / 'configs' / 'concat.yaml'}", "--runs_dir", runs_dir]
    words += ["--data.path", str(ROOT / "data" / "packages_small.npz")]
    words += ["--trainer.callbacks+=startup_parts.first_step.FirstStep"]
    path = os.pathsep.join(filter(None, [str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH")]))
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "repviz", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        for line in process.stdout:
            if SAID in line:
                found = time.perf_counter() - began
                process.terminate()
                process.stdout.read()
                return found
    sys.stderr.write("repviz fit ended before its first step\n")
    raise SystemExit(3)


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs in the folder that is listed")
    options = parser.parse_args(argv)
    record = Record("startup", "Starting", sentence(__doc__), {"runs in the folder": str(options.runs)})
    times = range(options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.runs):
            run = MadeRun(Path(folder) / f"20260101_0000{number:02d}", 100, 2)
            run.begin()
            run.write_epoch(0)
        listing = ("runs", "--runs-dir", folder)
        for name, words, bar in (("--help", ("--help",), MOST_HELP), ("runs", listing, MOST_RUNS)):
            seconds_of(*words)
            record.add(Row(f"repviz {name}", tuple(seconds_of(*words) for _ in times), "s", bar, "most"))
    with tempfile.TemporaryDirectory() as folder:
        seconds_to_first_step(folder)
        warm = tuple(seconds_to_first_step(folder) for _ in times)
        record.add(Row("repviz fit until its first step, warm", warm, "s"))
        if hasattr(os, "posix_fadvise"):
            cold = []
            for _ in times:
                forget()
                cold.append(seconds_to_first_step(folder))
            record.add(Row("repviz fit until its first step, cold", tuple(cold), "s", MOST_FIT, "most"))
        else:
            record.not_measured = "a cold start: this system cannot be asked to forget files"
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
