"""Data flows one way: who may know whom, seen in a fresh interpreter."""

import subprocess
import sys

import pytest

TORCH = {"torch", "lightning", "sklearn", "umap"}
VIEW = {"plotly", "dash"}
FILES = {"h5py", "h5netcdf"}

NEVER = {
    "repviz": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas"},
    "repviz.cli": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas"},
    "repviz.snapshot": {"lightning", *VIEW, *FILES, "umap"},
    "repviz.diagnostics.registry": {"lightning", *VIEW, *FILES, "umap"},
    "repviz.store.listing": {*TORCH, *VIEW},
    "repviz.store.heartbeat": {*TORCH, *VIEW},
    "repviz.store.sample_file": {*TORCH, *VIEW},
    "repviz.run": {*TORCH, "dash"},
    "repviz.data.inspect": {*TORCH, *VIEW, *FILES},
    "repviz.data.npz": {*TORCH, *VIEW, *FILES, "pandas"},
    "repviz.data.datamodule": {*VIEW, *FILES, "umap", "repviz.model", "repviz.callbacks", "repviz.store"},
    "repviz.model.classifier": {*VIEW, *FILES, "umap", "repviz.callbacks", "repviz.store"},
    "repviz.callbacks": {"dash", "plotly"},
    "repviz.training.cli": {"dash", "plotly"},
    "repviz.figures.registry": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.projection": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.prediction": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.probe": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.geometry": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.similarity": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.dynamics": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.fusion": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.trajectory": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.figures.metrics": {*TORCH, "h5py", "dash", "repviz.diagnostics"},
    "repviz.exports.command": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas", "matplotlib", "av", "PIL"},
    "repviz.exports.video": {*TORCH, *VIEW, *FILES, "numpy", "matplotlib", "av"},
    "repviz.exports.layouts": {*TORCH, "dash", "repviz.diagnostics", "matplotlib.pyplot", "av"},
    "repviz.exports.figures": {*TORCH, "dash", "repviz.diagnostics", "kaleido", "matplotlib"},
    "repviz.exports.report": {*TORCH, "dash", "repviz.diagnostics", "kaleido", "matplotlib"},
    "repviz.exports.tensorboard": {*TORCH, "dash", "repviz.diagnostics", "tensorboard", "matplotlib"},
    "repviz.exports.parquet": {*TORCH, "dash", "repviz.diagnostics", "matplotlib"},
    "repviz.exports.npz": {*TORCH, *VIEW, "repviz.diagnostics", "matplotlib"},
    "repviz.exports.encoding": {*TORCH, *VIEW, *FILES, "matplotlib"},
    "repviz.theme": {*TORCH, "dash", *FILES},
    "repviz.dashboards.serve": {*TORCH, "dash", "plotly"},
    "repviz.dashboards.app": {*TORCH, "repviz.diagnostics"},
}


@pytest.mark.parametrize("module", NEVER)
def test_a_module_never_imports(module):
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & NEVER[module] == set()
