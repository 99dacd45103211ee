"""The dashboard on a run of 50 epochs x 15,000 points x 5 layers, beside the obvious Dash app.

    python benchmarks/dashboard.py [--epochs 50] [--points 15000] [--clients 20] [--seconds 20] [--steps 25]

In headless Chromium, whose WebGL the processor draws: until the first page is there, from an epoch's step to its
frame on the page of representations (five maps), the main thread's work for it (see dashboard_parts/browser.py), and
the bytes. The obvious app (dashboard_parts/obvious_app.py) draws the same maps with plotly's scattergl and a colour
per point, its figure built on the server at each step. Then clients that poll a run while it is being written, and
the server's memory. Measured truly only on a machine that does nothing else.
"""

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from dashboard_parts.browser import Steps, chromium, new_page, steps
from dashboard_parts.clients import watch
from dashboard_parts.made_run import METHODS, MadeRun
from report.arguments import arguments, sentence
from report.machine import inherit_orphans
from report.record import Record, Row, times

PARTS = Path(__file__).parent / "dashboard_parts"
RUN, LIVE = "20260101_000000", "20260102_000000"
N_LAYERS, PAUSE_MS, AHEAD = 5, 250, 5
MOST_FIRST_S, MOST_STEP_MS, MOST_WORK_MS, MOST_MAP_MS = 3.0, 250.0, 100.0, 20.0
MOST_ANSWER_MS, MOST_MEMORY_MB, LEAST_DATA, LEAST_WORK = 300.0, 1000.0, 3.0, 4.0
TYPED_BYTES = (4 + 4 + 1) * 4 / 3
"""Of a point in plotly's JSON: x and y in float32 and a colour in a byte, as base64."""

OURS = """async (epoch) => {
    repviz.goTo(epoch);
    const all = () => repviz.grids[0].maps.every((map) => map.root.dataset.epoch === String(epoch));
    while (!all()) await new Promise(requestAnimationFrame);
}"""
THEIRS = """async (epoch) => {
    const plot = document.querySelector('#maps .js-plotly-plot');
    const drawn = new Promise((resolve) => plot.once('plotly_afterplot', resolve));
    dash_clientside.set_props('epoch', { value: epoch });
    await drawn;
    const title = () => plot._fullLayout.title.text;
    while (title() !== `epoch ${epoch}`) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
}"""


@contextlib.contextmanager
def serving(*command: str) -> Iterator[tuple[str, int]]:
    """Address and process of a server, which prints the address as soon as it listens."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        found = re.search(r"http://\S+", said)
        if found is None:
            raise SystemExit(f"the server {' '.join(command)} did not start")
        yield found[0], process.pid
    finally:
        process.terminate()
        process.wait()


def first_page(browser, address: str) -> float:
    """Seconds until the overview shows its curves and its map, in a browser that has not seen it before."""
    page = new_page(browser)
    began = time.perf_counter()
    page.goto(f"{address}/?run={RUN}")
    page.wait_for_function(
        "[...document.querySelectorAll('.map')].some((map) => map.offsetParent && map.dataset.epoch)"
        " && document.querySelector('#curve-loss .js-plotly-plot')?.dataset.repviz"
    )
    took = time.perf_counter() - began
    page.context.close()
    return took


def our_steps(browser, address: str, epochs: list[int]) -> Steps:
    """Of the page of representations, with all maps."""
    page = new_page(browser)
    page.goto(f"{address}/?run={RUN}&page=representations&epoch=0")
    page.wait_for_function(
        f"window.repviz?.grids?.[0]?.maps.filter((map) => map.root.dataset.epoch === '0').length === {N_LAYERS}"
    )
    found = steps(page, OURS, epochs, PAUSE_MS)
    page.context.close()
    return found


def their_steps(browser, run: Path, epochs: list[int]) -> Steps:
    """Of the obvious app."""
    with serving(str(PARTS / "obvious_app.py"), str(run)) as (address, _):
        page = new_page(browser)
        page.goto(address)
        page.wait_for_function(
            "document.querySelector('#maps .js-plotly-plot')?._fullLayout?.title?.text === 'epoch 0'"
        )
        page.wait_for_timeout(2000)
        found = steps(page, THEIRS, epochs, PAUSE_MS)
        page.context.close()
    return found


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, MB; of Linux alone."""
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line[1]) / 1000


def watched_live(record: Record, address: str, runs: Path, options: argparse.Namespace) -> None:
    """Clients that poll a run while another process writes an epoch a second."""
    live = MadeRun(runs / LIVE, options.points, N_LAYERS)
    live.begin()
    live.write_epoch(0)
    sizes = (str(options.points), str(N_LAYERS), "1", str(int(options.seconds) + 5))
    writer = subprocess.Popen([sys.executable, str(PARTS / "made_run.py"), str(live.path), *sizes])
    time.sleep(3)
    slow, problems = watch(address, LIVE, options.clients, options.seconds)
    writer.terminate()
    writer.wait()
    for what, (count, p95) in slow.items():
        said = f"{options.clients} clients of a live run: 95th percentile of {count:,} x {what}"
        record.add(Row(said, (p95,), "ms", MOST_ANSWER_MS, "most"))
    for problem in problems[:5]:
        print(f"  a request failed: {problem}")
    record.add(Row("  requests that failed", (float(len(problems)),), "", 0, "most"))


def everything_looked_at(address: str, epochs: int) -> None:
    """Ask for every frame there is, so that the server's caches are as full as they get."""
    for method in METHODS:
        for epoch in range(epochs):
            with urllib.request.urlopen(f"{address}/data/runs/{RUN}/frames/{method}/{epoch}") as answer:
                answer.read()


def stepping(record: Record, ours: Steps, theirs: Steps, n_points: int) -> None:
    """Rows on going from one epoch to the next."""
    record.add(
        Row(f"a step until its frame is drawn, {N_LAYERS} maps (median)", (ours.drawn,), "ms", MOST_STEP_MS, "most")
    )
    record.add(Row(f"main thread's work of a step, {N_LAYERS} maps", (ours.work,), "ms", MOST_WORK_MS, "most"))
    record.add(Row("main thread's work of a step, per map", (ours.work / N_LAYERS,), "ms", MOST_MAP_MS, "most"))
    peer, typed = "the obvious app", TYPED_BYTES * n_points * N_LAYERS
    pairs = (
        ("data of a step", ours.bytes, theirs.bytes, "B", LEAST_DATA, peer),
        ("main thread's work of a step", ours.work, theirs.work, "ms", LEAST_WORK, peer),
        ("a step until drawn", ours.drawn, theirs.drawn, "ms", None, peer),
        ("data of a step", ours.bytes, typed, "B", None, "bare x, y and color as typed arrays, no figure around them"),
    )
    for what, own, other, unit, bar, against in pairs:
        record.add(times(f"{what}, times less", [own], [other], unit, peer=against, bar=bar))


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 0 when the bars are met."""
    parser = arguments(__doc__, repeats=None)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--points", type=int, default=15_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--steps", type=int, default=25)
    options = parser.parse_args(argv)
    size = f"{options.epochs} epochs x {options.points:,} points x {N_LAYERS} layers"
    record = Record("dashboard", "Dashboard", sentence(__doc__), {"run": size, "steps": f"medians of {options.steps}"})
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        run = MadeRun(runs / RUN, options.points, N_LAYERS)
        run.begin()
        for epoch in range(options.epochs):
            run.write_epoch(epoch)
        run.say("finished", options.epochs - 1)
        # The page fetches ahead: as long as there are epochs ahead, each step brings the data of one.
        wanted = list(range(1, max(3, min(options.epochs - AHEAD, options.steps + 2))))
        with (
            serving("-m", "repviz", "dashboard", "--runs-dir", str(runs), "--port", "0") as (address, pid),
            chromium() as browser,
        ):
            first = first_page(browser, address)
            record.add(Row("first page, of a new server and browser", (first,), "s", MOST_FIRST_S, "most"))
            ours = our_steps(browser, address, wanted)
            stepping(record, ours, their_steps(browser, run.path, wanted), options.points)
            watched_live(record, address, runs, options)
            everything_looked_at(address, options.epochs)
            record.add(Row("the server's memory at its most", (peak_memory(pid),), "MB", MOST_MEMORY_MB, "most"))
    return record.finish(options.results)


if __name__ == "__main__":
    inherit_orphans()
    sys.exit(main())
