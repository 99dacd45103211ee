"""Data flows one way: who may know whom, seen in a fresh interpreter."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

TORCH = {"torch", "lightning", "sklearn", "umap"}
VIEW = {"plotly", "dash"}
FILES = {"h5py", "h5netcdf"}

NEVER = {
    "repviz, repviz.cli": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas"},
    "repviz.snapshot, repviz.diagnostics.registry": {"lightning", *VIEW, *FILES, "umap"},
    "repviz.between_runs": {*TORCH, *VIEW, "repviz.diagnostics"},
    "repviz.store.listing": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas"},
    "repviz.store.*": {*TORCH, *VIEW},
    "repviz.run": {*TORCH, "dash", "ipywidgets", "IPython"},
    "repviz.map_widget": {*TORCH, "dash", "repviz.diagnostics"},
    "repviz.data.inspect": {*TORCH, *VIEW, *FILES},
    "repviz.data.npz": {*TORCH, *VIEW, *FILES, "pandas"},
    "repviz.data.datamodule": {*VIEW, *FILES, "umap", "repviz.model", "repviz.callbacks", "repviz.store"},
    "repviz.model.classifier": {*VIEW, *FILES, "umap", "repviz.callbacks", "repviz.store"},
    "repviz.callbacks, repviz.training.cli": {"dash", "plotly"},
    "repviz.background.handover, repviz.callbacks.looking, repviz.weights": {"lightning", *VIEW, "umap"},
    "repviz.exports.command": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas", "matplotlib", "av", "PIL"},
    "repviz.exports.video": {*TORCH, *VIEW, *FILES, "numpy", "matplotlib", "av"},
    "repviz.exports.layouts": {*TORCH, "dash", "repviz.diagnostics", "matplotlib.pyplot", "av"},
    "repviz.exports.figures, repviz.exports.report": {*TORCH, "dash", "repviz.diagnostics", "kaleido", "matplotlib"},
    "repviz.exports.tensorboard": {*TORCH, "dash", "repviz.diagnostics", "tensorboard", "matplotlib"},
    "repviz.exports.parquet": {*TORCH, "dash", "repviz.diagnostics", "matplotlib"},
    "repviz.exports.npz": {*TORCH, *VIEW, "repviz.diagnostics", "matplotlib"},
    "repviz.exports.encoding": {*TORCH, *VIEW, *FILES, "matplotlib"},
    "repviz.scenes.command": {*TORCH, *VIEW, *FILES, "numpy", "xarray", "pandas", "matplotlib", "manim", "PIL"},
    "repviz.theme": {*TORCH, "dash", *FILES},
    "repviz.dashboards.serve": {*TORCH, "dash", "plotly"},
    "repviz.dashboards.app": {*TORCH, "repviz.diagnostics"},
}


def modules(named: str) -> list[str]:
    """Those of a comma-separated list; ``package.*`` is all that lie in it."""
    found = []
    for name in named.split(", "):
        if name.endswith(".*"):
            package = name.removesuffix(".*")
            found += [
                part.name for part in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}.")
            ]
        else:
            found.append(name)
    return found


@pytest.mark.parametrize("named", NEVER)
def test_modules_never_import(named):
    code = f"import sys, {', '.join(modules(named))}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & NEVER[named] == set()
