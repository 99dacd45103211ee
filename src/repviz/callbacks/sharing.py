"""What looks inline, shared out among the processes of a training: under DDP each has the same weights.

Each process looks at its own network with its own share and writes those artifacts itself, so that every artifact has
one writer and no dataset travels. That takes a run folder that all of them see; one that does not, or whose network
is not rank zero's to the bit (running statistics of a normalization are each process's own), gets no share.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import xarray as xr
from torch import nn

from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.interruption import terminated_as_interrupted
from repviz.callbacks.looking import look
from repviz.callbacks.number_log import key_numbers_of
from repviz.callbacks.ranks import Meeting
from repviz.callbacks.subject import Subject
from repviz.callbacks.subject_of_run import LookAt
from repviz.callbacks.termination import Termination
from repviz.diagnostics.diagnostic import Diagnostic
from repviz.store.sample_file import SAMPLE_FILE

log = logging.getLogger("repviz")


class Looked(NamedTuple):
    """What a process says of its share, by kind.

    Attributes:
        seconds: that each took.
        numbers: key numbers, where all went well.
    """

    seconds: dict[str, float]
    numbers: dict[str, dict[str, float]]


class Looker:
    """A process's own way of looking: its network, the fixed sample, and the diagnostics by kind."""

    def __init__(self, subject: Subject, diagnostics: Mapping[str, Diagnostic], run_dir: Path) -> None:
        """Args: what is looked at, by whom, and the run that it is written to."""
        self._diagnostics = dict(diagnostics)
        self._subject = subject
        self._run_dir = run_dir

    def look(self, kinds: Sequence[str], epoch: int, step: int, looked: Looked) -> None:
        """Look with ``kinds`` and note in ``looked`` what came of it; what goes wrong is recorded in the run.

        Raises:
            KeyboardInterrupt: training is to end; what is finished is noted.
        """
        began = time.monotonic()

        def report(diagnostic: Diagnostic, dataset: xr.Dataset | None) -> None:
            nonlocal began
            looked.seconds[diagnostic.kind] = time.monotonic() - began
            looked.numbers[diagnostic.kind] = key_numbers_of(diagnostic, dataset)
            began = time.monotonic()

        if kinds:
            due = [self._diagnostics[kind] for kind in kinds]
            with terminated_as_interrupted():
                look(self._subject, due, self._run_dir, epoch=epoch, step=step, report=report)

    def digest(self) -> str:
        """Of the network's buffers: its parameters are every rank's by DDP's promise."""
        return _digest(self._subject.module)


def of_epochs(callbacks: Iterable[DiagnosticCallback]) -> dict[str, Diagnostic]:
    """Diagnostics by kind, without those that look at the whole run."""
    return {callback.kind: callback.diagnostic for callback in callbacks if not callback.of_run}


def looker_of_another_rank(make: LookAt, callbacks: Sequence[DiagnosticCallback], run_dir: Path) -> Looker | None:
    """How a rank looks that is not rank zero; None where it cannot, or nobody looks inline.

    Args:
        make: gives what is looked at in the run, once rank zero has written the sample.
        callbacks: all that look.
        run_dir: the run, which this rank may not see.
    """
    inline = of_epochs(callback for callback in callbacks if callback.mode != "background")
    if not inline or not (run_dir / SAMPLE_FILE).is_file():
        return None
    try:
        return Looker(make(run_dir)[1], inline, run_dir)
    except Exception as error:  # whatever it is, rank zero looks all the same
        log.warning("a process leaves the diagnostics to the others: %s", error)
        return None


def _digest(module: nn.Module) -> str:
    found = hashlib.blake2b()
    for name, buffer in module.named_buffers():
        found.update(name.encode())
        found.update(buffer.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


class Dealer:
    """Decides which rank looks with what. Ranks that were told the same decide the same."""

    def __init__(self, chained: Sequence[str]) -> None:
        """Args: kinds that go on from their own earlier artifacts."""
        self._chained = set(chained)
        self._places: dict[str, int] = {}
        self._seconds: dict[str, float] = {}

    def deal(self, kinds: Sequence[str], able: Sequence[int]) -> dict[int, list[str]]:
        """Kinds by rank: longest first, each to the rank that has least to do, by what each took last time.

        A chained kind stays with the rank that had it first: another one's network file system may not show it for a
        while what was written elsewhere. Where that rank is not able, rank zero stands in.

        Args:
            kinds: what is due.
            able: ranks that can look; rank zero always can.
        """
        unknown = max(self._seconds.values(), default=1.0)
        costs = {kind: self._seconds.get(kind, unknown) for kind in kinds}
        load = dict.fromkeys(able, 0.0)
        shares: dict[int, list[str]] = {rank: [] for rank in able}
        bound = [kind for kind in kinds if kind in self._places]
        # Chained ones before others of the same cost: they are bound for good to where they go.
        free = sorted((kind for kind in kinds if kind not in bound), key=lambda k: (-costs[k], k not in self._chained))
        for kind in (*bound, *free):
            rank = self._places.get(kind, min(able, key=load.__getitem__))
            if kind in self._chained:
                self._places.setdefault(kind, rank)
            rank = rank if rank in load else 0
            load[rank] += costs[kind]
            shares[rank].append(kind)
        return shares

    def learn(self, seconds: Mapping[str, float]) -> None:
        """What each took this time."""
        self._seconds.update(seconds)


class SharedLook:
    """Looks on every rank at once, each with its share."""

    def __init__(
        self,
        meeting: Meeting,
        termination: Termination,
        looker: Looker | None,
        diagnostics: Mapping[str, Diagnostic],
    ) -> None:
        """Args: where the ranks meet, who notes interrupts, this rank's way of looking, and all kinds that ever look.

        Without a way of looking, which rank zero always has, a rank takes no share.
        """
        self._meeting = meeting
        self._termination = termination
        self._looker = looker
        self._dealer = Dealer([kind for kind, found in diagnostics.items() if found.chain != "none"])

    def look(self, kinds: Sequence[str], epoch: int, step: int) -> list[Looked]:
        """Have looked with ``kinds``, rank zero's; on every rank. Gives what each rank says of its share."""
        kinds = self._meeting.word_of_rank_zero(kinds)
        if not kinds:
            return []
        shares = self._dealer.deal(kinds, self._able())
        looked = Looked({}, {})
        if self._looker is not None:
            with self._termination.noting(self._meeting):
                self._looker.look(shares.get(self._meeting.rank, ()), epoch, step, looked)
        found = self._meeting.words(looked)
        for one in found:
            self._dealer.learn(one.seconds)
        return found

    def _able(self) -> list[int]:
        if self._meeting.ranks == 1:
            return [0]
        own = None
        if self._looker is not None:
            try:
                own = self._looker.digest()
            except Exception as error:  # the others wait for this rank's word, whatever it is
                log.warning("buffers of the network cannot be compared with those of other processes: %s", error)
                own = f"rank {self._meeting.rank}"
        digests = self._meeting.words(own)
        return [rank for rank, digest in enumerate(digests) if digest == digests[0]]
