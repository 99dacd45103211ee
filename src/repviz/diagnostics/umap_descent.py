"""UMAP's stochastic gradient descent on a given graph, from where the points lie: umap-learn's, or a GPU's.

Which one is named by ``umap_backend``: ``umap-learn`` runs on the CPU, ``torchdr`` on the device of the activations
(TorchDR: Van Assel et al., https://torchdr.github.io), ``auto`` takes TorchDR where it is installed and the
activations lie on a GPU.
"""

import logging
import time
from functools import cache, partial
from importlib.util import find_spec
from typing import Literal, Protocol

import numpy as np
import torch
from scipy.sparse import coo_array

log = logging.getLogger(__name__)

Backend = Literal["umap-learn", "torchdr"]
TORCHDR_POINTS = 200_000
"""``auto`` leaves larger samples to umap-learn: TorchDR pads every point's edges to those of the best connected one."""
_COMPILED = "_nb_optimize_layout_euclidean_single_epoch"
"""What umap-learn compiles on every start of a program, for it does not ask numba to keep it."""


class Descent(Protocol):
    """From a start to a map in which neighbours lie together; the same arguments end in the same map."""

    def __call__(
        self, graph: coo_array, start: np.ndarray, n_epochs: int, *, learning_rate: float, min_dist: float, seed: int
    ) -> np.ndarray:
        """Args:
            graph: ``(n, n)``, symmetric, how much each pair of points are neighbours, in 0 to 1.
            start: ``(n, 2)``, where the points lie.
            n_epochs: steps; the strongest edges are drawn at each of them.
            learning_rate: at the first step; it falls to 0 in a line.
            min_dist: 0 to 1, how closely points may lie together.
            seed: of the negative samples.

        Returns:
            ``(n, 2)`` float32.
        """
        ...


def chosen_backend(setting: Literal["auto", "umap-learn", "torchdr"], device: torch.device, n: int) -> Backend:
    """Who descends for ``n`` points whose activations lie on ``device``."""
    if setting != "auto":
        return setting
    return "torchdr" if device.type == "cuda" and n <= TORCHDR_POINTS and torchdr_is_installed() else "umap-learn"


def torchdr_is_installed() -> bool:
    """Whether the extra ``gpu`` is there; TorchDR is not loaded."""
    return find_spec("torchdr") is not None


def descent_of(backend: Backend, device: torch.device) -> Descent:
    """The descent of a backend; umap-learn's is on the CPU whatever the device."""
    if backend == "umap-learn":
        return umap_learn
    from repviz.diagnostics.optional.torchdr_descent import torchdr

    return partial(torchdr, device=device)


@cache
def warm_up() -> None:
    """Load umap-learn and compile what is used of it, once per process.

    Compiled code is kept where numba keeps it (beside umap-learn, else in the user's cache folder, or in
    ``NUMBA_CACHE_DIR``): the first time on a machine takes up to a minute, later processes need a few seconds.
    """
    log.info("loading UMAP: on the first use on a machine it is compiled, for up to a minute; later within seconds")
    began = time.monotonic()
    _keep_compiled()
    _optimize(coo_array(np.eye(6, k=1) + np.eye(6, k=-1)), np.eye(6)[:, :2], 2, learning_rate=1.0, min_dist=0.1, seed=0)
    log.info("UMAP is ready after %.0f s", time.monotonic() - began)


def _keep_compiled() -> None:
    """Let numba keep on disk what it compiles for umap-learn; where it cannot, it compiles anew in every process."""
    from umap import layouts

    function = vars(layouts).get(_COMPILED)
    if function is None:
        log.info("UMAP compiles anew in every process: this umap-learn has no %s", _COMPILED)
        return
    try:
        function.enable_caching()
    except RuntimeError as error:
        log.info("UMAP compiles anew in every process, for numba has no place to keep it: %s", error)


def umap_learn(
    graph: coo_array, start: np.ndarray, n_epochs: int, *, learning_rate: float, min_dist: float, seed: int
) -> np.ndarray:
    """umap-learn's descent, on the caller's thread of the CPU. A :class:`Descent`."""
    warm_up()
    return _optimize(graph, start, n_epochs, learning_rate=learning_rate, min_dist=min_dist, seed=seed)


def _optimize(
    graph: coo_array, start: np.ndarray, n_epochs: int, *, learning_rate: float, min_dist: float, seed: int
) -> np.ndarray:
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import make_epochs_per_sample

    # edges that would not be drawn once in so many epochs are dropped, as umap-learn does
    drawn = graph.data >= graph.data.max() / n_epochs
    head, tail = (np.ascontiguousarray(axis[drawn], dtype=np.int32) for axis in (graph.row, graph.col))
    a, b = _curve(min_dist)
    layout = np.array(start, dtype=np.float32, order="C")
    limits = np.iinfo(np.int32)
    state = np.random.default_rng(seed).integers(limits.min, limits.max, 3, dtype=np.int64)
    return optimize_layout_euclidean(
        layout,
        layout,
        head,
        tail,
        n_epochs,
        len(layout),
        make_epochs_per_sample(graph.data[drawn], n_epochs),
        a,
        b,
        state,
        initial_alpha=learning_rate,
        parallel=False,
        move_other=True,
    )


@cache
def _curve(min_dist: float) -> tuple[float, float]:
    """Parameters of 1 / (1 + a d^2b), the curve that stands for "neighbours down to ``min_dist``"."""
    from umap.umap_ import find_ab_params

    a, b = find_ab_params(1.0, min_dist)
    return float(a), float(b)
