"""Rows and activations that need no file to be at hand, as large as one likes."""

from pathlib import Path

import numpy as np
import torch

from repviz.snapshot import Sample, Snapshot

N_CLASSES = 20
_VAL_SHARE = 10


def data_file(folder: Path, n_rows: int, n_features: int) -> Path:
    """An ``.npz`` file of ``n_rows`` training rows around a center per class, and a tenth as many to validate on."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(N_CLASSES, n_features)).astype(np.float32)
    arrays: dict[str, np.ndarray] = {"classes": np.array([f"class {k}" for k in range(N_CLASSES)])}
    for split, n in (("train", n_rows), ("val", max(N_CLASSES, n_rows // _VAL_SHARE))):
        labels = np.arange(n) % N_CLASSES
        noise = random.standard_normal((n, n_features), dtype=np.float32)
        arrays |= {f"X_{split}_embed": centers[labels] + 3 * noise, f"y_{split}": labels}
    path = folder / "made.npz"
    np.savez(path, **arrays)
    return path


def snapshot(n_points: int, widths: tuple[int, ...], device: str, noise: float = 3.0) -> Snapshot:
    """Activations of ``n_points`` in layers of such widths on the device, four in five to fit a probe on.

    Where only ``noise`` differs, points move along straight lines through their classes' centers.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n_points) % N_CLASSES
    layers = {}
    for number, width in enumerate(widths):
        centers = torch.randn(N_CLASSES, width, generator=generator)
        layers[f"layer{number}"] = (centers[labels] + noise * torch.randn(n_points, width, generator=generator)).to(
            device
        )
    index = np.arange(n_points)
    split = (index % 5 == 4).astype(np.int8)
    classes = tuple(f"class {k}" for k in range(N_CLASSES))
    sample = Sample((), labels.numpy(), split, index, index.astype(str), classes)
    return Snapshot(0, 0, sample, layers, torch.zeros(n_points, N_CLASSES))
