"""Browsers that watch a live run, without the browser: what each asks each second, and how long answers take."""

import http.client
import json
import statistics
import threading
import time
from collections import defaultdict
from urllib.parse import urlsplit

_EVERY = 1.0
_LIST_EVERY = 3


class Watcher(threading.Thread):
    """One client: each second what is new of the manifest and of what it names, each third the list of runs."""

    def __init__(self, address: str, run: str, begins_after: float, until: float) -> None:
        """Args: of the server; name of the run; seconds to wait at first; when to end, by ``time.monotonic``."""
        super().__init__(daemon=True)
        self.server = urlsplit(address).netloc
        self.of_run = f"/data/runs/{run}"
        self.begins_after, self.until = begins_after, until
        self.took: dict[str, list[float]] = defaultdict(list)
        self.problems: list[str] = []
        self.tags: dict[str, str] = {}

    def run(self) -> None:
        """Ask until it is over; a client that cannot go on is a problem."""
        try:
            self.look_on()
        except Exception as error:  # whatever it is, else its thread would end without a word
            self.problems.append(f"a client ended early: {type(error).__name__}: {error}")

    def look_on(self) -> None:
        """Ask until it is over."""
        time.sleep(self.begins_after)
        connection = http.client.HTTPConnection(self.server, timeout=30)
        known, newest, tick = None, None, 0
        while time.monotonic() < self.until:
            began = time.monotonic()
            if tick % _LIST_EVERY == 0:
                self.ask(connection, "list of runs", "/data/runs")
            since = f"?since={known['signature']}" if known else ""
            told = self.ask(connection, "manifest", f"{self.of_run}/manifest{since}")
            if told:
                told = json.loads(told)
                if known is None or known["metrics"]["version"] != told["metrics"]["version"]:
                    kept = told["metrics"].get("kept", 0)
                    self.ask(connection, "metrics", f"{self.of_run}/metrics?from={kept}")
                maps = told["artifacts"].get("projection")  # null: as before
                if maps and maps["epochs"] and maps["epochs"][-1] != newest:
                    newest = maps["epochs"][-1]
                    self.ask(connection, "frame", f"{self.of_run}/frames/umap/{newest}")
                known = told
            tick += 1
            time.sleep(max(0.0, _EVERY - (time.monotonic() - began)))

    def ask(self, connection: http.client.HTTPConnection, what: str, path: str) -> bytes:
        """The answer, empty where nothing has changed; how long it took is noted."""
        began = time.perf_counter()
        connection.request("GET", path, headers={"If-None-Match": self.tags[path]} if path in self.tags else {})
        response = connection.getresponse()
        content = response.read()
        self.took[what].append(1000 * (time.perf_counter() - began))
        if response.status not in (200, 204, 304):
            self.problems.append(f"{path}: {response.status}")
        self.tags[path] = response.headers.get("ETag", self.tags.get(path, ""))
        return content


def watch(address: str, run: str, n_clients: int, seconds: float) -> tuple[dict[str, tuple[int, float]], list[str]]:
    """By kind of answer how many there were and the 95th percentile of milliseconds; and what went wrong."""
    until = time.monotonic() + seconds
    watchers = [Watcher(address, run, k * _EVERY / n_clients, until) for k in range(n_clients)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join()
    took: dict[str, list[float]] = defaultdict(list)
    for watcher in watchers:
        for what, times in watcher.took.items():
            took[what] += times
    slow = {what: (len(times), statistics.quantiles(times, n=20)[-1]) for what, times in took.items() if len(times) > 1}
    return slow, [problem for watcher in watchers for problem in watcher.problems]
