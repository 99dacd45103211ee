"""The program beside training: ``python -m repviz.background.worker``, started by ``Lane`` and by nobody else.

Jobs come as lines of JSON on standard input, and what happened goes out as lines of JSON on standard output. When the
input ends without a farewell, training was killed, and this program ends at once: artifacts are written atomically.
"""

import io
import json
import os
import queue
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Take the settings from the first line, then do one job after the other."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for training, which tells us when to end
        signal.signal(number, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline())
    os.nice(settings["nice"])
    sys.path[:] = settings["sys_path"]
    events = _own_output()
    jobs: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs, Path(settings["handover"])), daemon=True).start()
    _work(settings, jobs, events)


def _work(settings: dict[str, Any], jobs: "queue.SimpleQueue[dict[str, Any] | None]", events: TextIO) -> None:
    import torch
    import xarray as xr

    from repviz import logs
    from repviz.background.handover import receive
    from repviz.callbacks.looking import look, record_failure
    from repviz.callbacks.number_log import key_numbers_of
    from repviz.diagnostics.diagnostic import Diagnostic
    from repviz.weights import checkpoint_at

    logs.show("repviz")
    torch.set_num_threads(settings["threads"])
    handover = receive(Path(settings["handover"]), settings["device"])
    subject, run_dir = handover.subject, handover.run_dir
    _say(events, event="ready")

    def report(diagnostic: Diagnostic, dataset: xr.Dataset | None) -> None:
        _say(events, event="looked", kind=diagnostic.kind, numbers=key_numbers_of(diagnostic, dataset))

    while (job := jobs.get()) is not None:
        try:
            with checkpoint_at(Path(job["checkpoint"])) as checkpoint:
                subject.module.load_state_dict(checkpoint["state_dict"])
            del checkpoint
        except Exception as error:  # the weights are gone, or no mere tensors: this epoch's fault, not this program's
            for kind in job["kinds"]:
                record_failure(kind, error, run_dir, job["epoch"])
                _say(events, event="looked", kind=kind, numbers={})
            _say(events, event="done")
            continue
        due = [handover.diagnostics[kind] for kind in job["kinds"]]
        look(
            subject,
            due,
            run_dir,
            epoch=job["epoch"],
            step=job["step"],
            report=report,
        )
        _say(events, event="done")


def _listen(jobs: "queue.SimpleQueue[dict[str, Any] | None]", handover: Path) -> None:
    for line in sys.stdin:
        job = json.loads(line)
        jobs.put(job or None)
        if not job:
            return
    shutil.rmtree(handover.parent, ignore_errors=True)  # whoever gave the jobs is gone, and will not take it away
    os._exit(1)


def _own_output() -> TextIO:
    """Standard output for events alone; whatever else is printed goes where errors go."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Words(2, "w", closefd=False)), "utf-8", "backslashreplace", line_buffering=True
    )
    return events


class _Words(io.FileIO):
    """A log on a disk that may be full: what it does not take is lost, and brings down nobody who said it."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError:
            return len(content)


def _say(events: TextIO, **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
