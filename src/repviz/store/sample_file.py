"""``sample.h5``: the fixed points of a run, what each epoch's artifacts are rows of."""

from pathlib import Path

import xarray as xr

from repviz.store.hdf5 import read_dataset, write_dataset
from repviz.version import __version__

SAMPLE_FILE = "sample.h5"


def write_sample(run_dir: Path, dataset: xr.Dataset) -> None:
    """Write ``index``, ``id``, ``split``, ``label``, and where known ``text`` and ``tabular``, on ``sample``."""
    write_dataset(Path(run_dir) / SAMPLE_FILE, dataset, {"kind": "sample", "repviz_version": __version__})


def read_sample(run_dir: Path) -> xr.Dataset:
    """The sample; see ``read_dataset`` for errors."""
    return read_dataset(Path(run_dir) / SAMPLE_FILE)
