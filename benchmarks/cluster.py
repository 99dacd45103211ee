"""``repviz diagnose --scheduler``: one Dask worker against several, one thread each, on the same list of tasks.

    python benchmarks/cluster.py [--data FILE.npz] [--workers CORES] [--epochs 12] [--points 6000] [--repeats 5]
                                 [--memory_limit 1.5e9]

Trains once without looking, then diagnoses copies of that run: with one worker and with several, in turn, on workers
that are up and have imported everything. Dask ends a worker that takes more memory than the limit. In the end once
more with several, one of which is killed on the way. Bars: at least 0.8 times as fast as there are workers; the
artifacts of all are equal to the last bit; none is missing; no worker was ended; the peak memory of a worker is at
most 1.2 times as high after all tasks as after those of four epochs, and at most 1.2 times as high among several as
alone: a list of tasks may be of any length; a task sends less than 100 kB.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import cloudpickle
import dask
import psutil
import xarray as xr
from distributed import LocalCluster

import repviz
from report.arguments import ROOT, arguments, sentence
from report.record import Record, Row
from repviz.offline import diagnosing
from repviz.run import Run

KINDS = ["geometry", "interpolation", "landscape", "prediction", "similarity", "surface"]
SETTINGS = {"landscape.resolution": 31, "surface.resolution": 150}
LEAST_SHARE, MOST_GROWTH, MOST_SENT = 0.8, 1.2, 100_000
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class Workers:
    """A local cluster's workers, with the peak memory of each."""

    def __init__(self, count: int, memory_limit: float) -> None:
        self.cluster = LocalCluster(
            n_workers=count, threads_per_worker=1, dashboard_address=":0", scheduler_port=0, memory_limit=memory_limit
        )
        self.peak = 0

    def pids(self) -> list[int]:
        """Processes that are up now; a killed one is replaced."""
        return [worker.pid for worker in self.cluster.workers.values() if worker.pid]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the largest resident memory of any worker in the block."""
        over = threading.Event()
        self.peak = 0

        def watch() -> None:
            while not over.wait(0.1):
                for pid in self.pids():
                    with suppress(psutil.NoSuchProcess):
                        self.peak = max(self.peak, psutil.Process(pid).memory_info().rss)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def train(data: Path, epochs: int, points: int, folder: Path) -> Path:
    """A run without diagnostics."""
    subprocess.run(
        [sys.executable, "-m", "repviz", "fit", f"--config={ROOT / 'configs' / 'concat.yaml'}",
         "--data.path", str(data), "--runs_dir", str(folder / "trained"), "--sample.size", str(points),
         "--diagnostics", "off", "--video.enabled", "false", "--baseline.enabled", "false",
         "--trainer.max_epochs", str(epochs), "--early_stopping.enabled", "false", "--trainer.accelerator", "cpu"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (run_dir,) = (folder / "trained").iterdir()
    return run_dir


def look(workers: Workers, run_dir: Path, epochs: Sequence[int]) -> tuple[float, int]:
    """Seconds that diagnosing takes, and how many artifacts were computed."""
    began = time.perf_counter()
    computed = diagnosing.diagnose(
        run_dir, epochs=epochs, only=KINDS, settings=SETTINGS, threads=1, scheduler=workers.cluster.scheduler_address
    )
    return time.perf_counter() - began, computed


def look_while_one_is_killed(workers: Workers, run_dir: Path, epochs: Sequence[int]) -> int:
    """As ``look``; one of the workers dies as soon as the first artifact is there."""
    victim = workers.pids()[0]

    def kill() -> None:
        while not list(run_dir.glob("artifacts/*/*.h5")):
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    _, computed = look(workers, run_dir, epochs)
    killer.join(1)
    if killer.is_alive() or victim in workers.pids():
        raise SystemExit("no worker was killed")
    return computed


def different(one: Run, other: Run) -> list[str]:
    """Artifacts that are missing in one of them, or not equal."""
    found = [f"kinds {one.kinds()} {other.kinds()}"] if one.kinds() != other.kinds() else []
    for kind in one.kinds():
        for epoch in sorted({*one.epochs(kind), *other.epochs(kind)}):
            try:
                xr.testing.assert_equal(one.read(kind, epoch), other.read(kind, epoch))
            except (FileNotFoundError, AssertionError):
                found.append(f"{kind} {epoch}")
    return found


@contextmanager
def noting_what_is_sent(sizes: list[int]) -> Iterator[None]:
    """Collect the bytes of every task that goes to a worker."""
    pool_of = diagnosing.pools.dask_cluster

    @contextmanager
    def noting(address: str) -> Iterator[diagnosing.pools.Pool]:
        with pool_of(address) as pool:

            def submit(*task: object) -> object:
                sizes.append(len(cloudpickle.dumps(task)))
                return pool.submit(*task)

            yield pool._replace(submit=submit)

    diagnosing.pools.dask_cluster = noting
    try:
        yield
    finally:
        diagnosing.pools.dask_cluster = pool_of


def main(argv: list[str] | None = None) -> int:
    """Run and print; 0 when the bars are met."""
    parser = arguments(__doc__, repeats=5, data=True)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--points", type=int, default=6_000)
    parser.add_argument("--memory_limit", type=float, default=1.5e9, help="bytes of a worker (default: %(default).2g)")
    options = parser.parse_args(argv)
    conditions = {"data": options.data.name, "workers": str(options.workers), "epochs": str(options.epochs)}
    record = Record("cluster", "Diagnosing on a Dask cluster", sentence(__doc__), conditions)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    dask.config.set({"distributed.worker.memory.pause": False})  # a worker over its limit ends, it does not wait
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained = train(options.data, options.epochs, options.points, folder)
        epochs = range(options.epochs + 1)
        due = len(epochs) * len(KINDS)
        counts = {count: Workers(count, options.memory_limit) for count in sorted({1, options.workers})}
        first_peaks, began_as = {}, {}
        for count, workers in counts.items():
            with workers.watched():
                look(workers, shutil.copytree(trained, folder / f"warm_{count}"), epochs[:4])
            first_peaks[count], began_as[count] = workers.peak, workers.pids()
        times, peaks, runs, sent = {count: [] for count in counts}, {}, [], []
        for repeat in range(options.repeats):
            for count, workers in counts.items():
                run_dir = shutil.copytree(trained, folder / f"run_{count}_{repeat}")
                with workers.watched(), noting_what_is_sent(sent):
                    seconds, computed = look(workers, run_dir, epochs)
                times[count].append(seconds)
                peaks[count] = max(peaks.get(count, 0), workers.peak)
                runs.append((computed, repviz.open_run(run_dir)))
                print(f"{count} workers: {computed} of {due} tasks in {seconds:.1f} s", flush=True)
        ended = sum(len({*began_as[count]} - {*workers.pids()}) for count, workers in counts.items())
        bereft = shutil.copytree(trained, folder / "bereft")
        computed = look_while_one_is_killed(counts[options.workers], bereft, epochs)
        runs.append((computed, repviz.open_run(bereft)))
        unequal = sorted({name for _, run in runs for name in different(runs[0][1], run)})
        for workers in counts.values():
            workers.cluster.close()

    linear = options.workers
    shares = tuple(one / several / linear for one, several in zip(times[1], times[linear], strict=True))
    lost = [computed for computed, _ in runs if computed != due]
    record.add(
        Row(f"speed with {linear} workers, as a share of linear", shares, "x", LEAST_SHARE, ours=tuple(times[linear]),
            theirs=tuple(times[1]), absolute="s")
    )  # fmt: skip
    record.add(Row("artifacts that differ between runs", (float(len(unequal)),), "artifacts", 0, "most"))
    record.add(Row("runs that lost a task, one of them with a worker killed", (float(len(lost)),), "runs", 0, "most"))
    record.add(Row("workers that ended, but for the killed one", (float(ended),), "workers", 0, "most"))
    longest = peaks[1] / first_peaks[1]
    record.add(
        Row(
            f"peak memory of a worker after {due * options.repeats} tasks, against after {4 * len(KINDS)}",
            (longest,),
            "x",
            MOST_GROWTH,
            "most",
        )
    )
    growth = peaks[linear] / peaks[1]
    record.add(Row("peak memory of a worker among several, against one alone", (growth,), "x", MOST_GROWTH, "most"))
    record.add(Row("peak memory of a worker alone", (peaks[1] / 1e9,), "GB"))
    record.add(Row("largest task that is sent", (max(sent) / 1e3,), "kB", MOST_SENT / 1e3, "most"))
    return record.finish(options.results)


if __name__ == "__main__":
    sys.exit(main())
