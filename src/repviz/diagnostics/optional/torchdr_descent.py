"""UMAP's descent by TorchDR (https://torchdr.github.io), on a GPU or any other device that torch knows.

Points move all at once at every step, where umap-learn moves them one after the other: the maps are alike, not equal.
"""

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor
from torchdr import UMAP, SparseAffinity


class _GivenGraph(SparseAffinity):
    """A graph that is there already, in the place of the one that TorchDR would compute."""

    def __init__(self, graph: coo_array, device: torch.device) -> None:
        super().__init__(device=device, distributed=False, _pre_processed=True)
        self._graph = graph.tocsr()

    def _compute_sparse_affinity(self, X: Tensor, return_indices: bool = True, **_) -> tuple[Tensor, Tensor]:
        """Per point the weights of its edges and where they lead, ``(n, most edges of a point)``; beyond them 0, -1."""
        edges = np.diff(self._graph.indptr)
        there = np.arange(edges.max()) < edges[:, None]
        weights, ends = np.zeros(there.shape, np.float32), np.full(there.shape, -1, np.int64)
        weights[there], ends[there] = self._graph.data, self._graph.indices
        return torch.from_numpy(weights).to(X.device), torch.from_numpy(ends).to(X.device)


def torchdr(
    graph: coo_array,
    start: np.ndarray,
    n_epochs: int,
    *,
    learning_rate: float,
    min_dist: float,
    seed: int,
    device: torch.device,
) -> np.ndarray:
    """A :class:`~repviz.diagnostics.umap_descent.Descent` on ``device``; torch's random states stay as they were."""
    begin = torch.from_numpy(np.array(start, dtype=np.float32)).to(device)
    axes = [0, 1] if np.ptp(start[:, 0]) > 0 else [1, 0]  # TorchDR divides by the spread along the first axis
    begin = begin[:, axes]
    umap = UMAP(
        n_neighbors=1,  # of a graph that is not asked for
        min_dist=min_dist,
        lr=learning_rate,
        max_iter=n_epochs,
        init=begin,
        init_scaling=float(begin[:, 0].std()),  # by which it divides: points start where they are
        min_grad_norm=0.0,
        check_interval=n_epochs,
        device=str(device),
        backend=None,
        distributed=False,
        process_duplicates=False,
    )
    umap.affinity_in = _GivenGraph(graph, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return umap.fit_transform(begin)[:, axes].detach().cpu().numpy()
