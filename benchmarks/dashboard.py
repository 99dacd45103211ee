"""The dashboard on a run of 50 epochs x 15,000 points x 5 layers, beside the obvious Dash app.

    python benchmarks/dashboard.py [--epochs 50] [--points 15000] [--clients 20] [--seconds 20] [--steps 25]

In headless Chromium, whose WebGL the processor draws: until the first page is there, from an epoch's step to its
frame on the page of representations (five maps), the main thread's work for it (see dashboard_parts/browser.py), and
the bytes. The obvious app (dashboard_parts/obvious_app.py) draws the same maps with plotly's scattergl and a colour
per point, its figure built on the server at each step. Then clients that poll a run while it is being written, and
the server's memory. Exits with 1 when a bar is missed. Measured truly only on a machine that does nothing else.
"""

import argparse
import contextlib
import os
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


class Bars:
    """What was measured beside what is asked, line by line."""

    def __init__(self) -> None:
        """No line yet."""
        self.met = True

    def say(self, what: str, value: float, bar: float, unit: str, *, at_least: bool = False) -> None:
        """Print one line and note whether its bar is met."""
        met = value >= bar if at_least else value <= bar
        self.met = self.met and met
        sign = "at least" if at_least else "at most"
        print(f"{what:<58} {value:>8.1f} {unit:<6} {sign} {bar:g}: {'met' if met else 'MISSED'}", flush=True)


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


def watched_live(bars: Bars, address: str, runs: Path, options: argparse.Namespace) -> None:
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
        bars.say(f"{options.clients} clients of a live run: p95 of {count} x {what}", p95, MOST_ANSWER_MS, "ms")
    for problem in problems[:5]:
        print(f"  a request failed: {problem}")
    bars.met = bars.met and not problems


def everything_looked_at(address: str, epochs: int) -> None:
    """Ask for every frame there is, so that the server's caches are as full as they get."""
    for method in METHODS:
        for epoch in range(epochs):
            with urllib.request.urlopen(f"{address}/data/runs/{RUN}/frames/{method}/{epoch}") as answer:
                answer.read()


def main() -> int:
    """Measure and print; 0 when the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--points", type=int, default=15_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--steps", type=int, default=25)
    options = parser.parse_args()
    bars, others = Bars(), os.getloadavg()[0]
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
            bars.say("first page, of a new server and browser", first_page(browser, address), MOST_FIRST_S, "s")
            ours = our_steps(browser, address, wanted)
            theirs = their_steps(browser, run.path, wanted)
            bars.say(f"a step until its frame is drawn, {N_LAYERS} maps (median)", ours.drawn, MOST_STEP_MS, "ms")
            bars.say(f"  main thread's work for {N_LAYERS} maps", ours.work, MOST_WORK_MS, "ms")
            bars.say("  for one of them", ours.work / N_LAYERS, MOST_MAP_MS, "ms")
            print(f"  the obvious app: drawn after {theirs.drawn:.0f} ms, {theirs.work:.0f} ms of work")
            print(f"  a step's data: {ours.bytes / 1e3:.0f} kB, the obvious app's {theirs.bytes / 1e3:.0f} kB")
            typed = TYPED_BYTES * options.points * N_LAYERS
            print(
                f"  bare x, y and colour as typed arrays, with no figure around them: {typed / ours.bytes:.2f} x ours"
            )
            bars.say("less data than its typed arrays", theirs.bytes / ours.bytes, LEAST_DATA, "x", at_least=True)
            bars.say("less main-thread work than it", theirs.work / ours.work, LEAST_WORK, "x", at_least=True)
            watched_live(bars, address, runs, options)
            everything_looked_at(address, options.epochs)
            bars.say("the server's memory at its most", peak_memory(pid), MOST_MEMORY_MB, "MB")
    print(f"bars: {'met' if bars.met else 'MISSED'} (load of the machine before: {others:.1f})")
    return 0 if bars.met else 1


if __name__ == "__main__":
    sys.exit(main())
