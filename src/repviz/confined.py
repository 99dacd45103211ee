"""A child process with limits on memory and time, for reading files that may be made to do harm.

What makes the child crash, hang or take all memory does not reach the parent.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO


def run_confined(
    module: str, arguments: Sequence[str], *, seconds: float, output: IO[bytes], errors: IO[bytes]
) -> int | None:
    """Run ``python -m module``; the module sets its own limits with ``confine``.

    Args:
        module: of this package, with a ``__main__`` part.
        arguments: of its command line.
        seconds: after which it is ended, by the clock: twice the processor seconds that it allows itself, for another
            process may need the processor too.
        output: file for its standard output.
        errors: file for its standard error.

    Returns:
        Its exit status, minus the number of the signal that ended it, or None if it took too long.
    """
    # -P: the folder that the user works in is none of the child's business.
    command = [sys.executable, "-P", "-m", module, *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment, timeout=seconds,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode == -signal.SIGXCPU else done.returncode


def confine(*, memory: int, seconds: int) -> None:
    """Limit this process: bytes of memory and of any file that it writes, processor seconds, no core dump.

    A second more lies between the processor's soft limit, whose signal tells why, and the hard one, which only kills:
    Linux looks at the hard one first.
    """
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        later = limit + 1 if kind == resource.RLIMIT_CPU and (hard == resource.RLIM_INFINITY or limit < hard) else limit
        resource.setrlimit(kind, (limit, later))
