"""Where a benchmark ran: the machine and the versions, without names or paths."""

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PACKAGES = ("torch", "lightning", "numpy", "scikit-learn", "umap-learn", "h5py")
_PEERS = ("torchdr", "skorch", "loss-landscapes", "distributed")
"""Named where they are installed."""
_OWN = ("benchmarks/results", "benchmarks/RESULTS.md")
"""What benchmarks write themselves: it does not make the measured code another one."""
_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
_inheriting = False


@functools.cache
def machine() -> dict[str, str]:
    """Processor, cores that this process may use, memory, GPU, system, and versions."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "GPU": _gpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        **{name: version for name in _PEERS if (version := _version(name))},
    }


@functools.cache
def commit() -> str:
    """Short name of the commit, with ``+`` when files differ from it; ``unknown`` outside of a repository."""
    changed = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in _OWN))
    name = _git("rev-parse", "--short", "HEAD")
    return "unknown" if not name else name + ("+" if changed else "")


def inherit_orphans() -> None:
    """On Linux, take what children leave behind, as a browser does, for this program's own: call it in a script alone.

    From then on every child that has ended is waited for when ``Others`` is asked, whoever else would.
    """
    global _inheriting
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        _inheriting = True


class Others:
    """What other programs take of the processor from now on; of Linux alone."""

    def __init__(self) -> None:
        """Begin to count."""
        self._began, self._busy, self._own = time.monotonic(), _busy_seconds(), _own_seconds()

    def share(self) -> float | None:
        """Of all cores since the beginning, 0 to 1; what this program and its children started is not counted."""
        if _inheriting:
            _reap()
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        taken = busy - self._busy - (_own_seconds() - self._own)
        available = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return round(min(1.0, max(0.0, taken / available)), 2) if available else 0.0


def _busy_seconds() -> float | None:
    """Of all cores together since the start of the system: user, nice and system time."""
    facts = Path("/proc/stat")
    if not facts.exists():
        return None
    user, nice, system = map(int, facts.read_text().split("\n", 1)[0].split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def _reap() -> None:
    """Wait for every child that has ended: what it took is counted as this process's from then on."""
    with contextlib.suppress(ChildProcessError):  # there is none left
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _own_seconds() -> float:
    """Of this process and of those that it waited for."""
    return sum(os.times()[:4])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return found[1] if found else platform.processor() or "unknown"


def _gpu() -> str:
    """Asked of the driver: importing torch for it would take seconds."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return ", ".join(done.stdout.split("\n")[:-1]) or "none"
