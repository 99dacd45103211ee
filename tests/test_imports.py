"""Data flows one way: who may know whom, seen in a fresh interpreter."""

import importlib
import json
import pkgutil
import subprocess
import sys
from collections import defaultdict

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


FIRST = {
    "numpy": {"numpy"},
    "pandas": {"numpy", "pandas"},
    "xarray": {"numpy", "pandas", "xarray"},
    "torch": {"numpy", "torch"},
    "lightning": {"numpy", "torch", "lightning"},
}
"""What takes long to import, and what comes with it: once for all who may know that."""
EACH = """
import importlib, json, os, sys
first, named = json.loads(sys.argv[1])
for module in first:
    importlib.import_module(module)
for modules in named:
    read, write = os.pipe()
    if not os.fork():
        for module in modules:
            importlib.import_module(module)
        with open(write, "w") as file:
            json.dump(sorted(sys.modules), file)
        os._exit(0)
    os.close(write)
    with open(read) as file:
        print(file.read())
    assert os.wait()[1] == 0, modules
"""
"""Lines of JSON: what is imported once some modules are, each in a process that has imported none of the others."""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """By entry of ``NEVER``: all modules that are there when it has been imported."""
    found, groups = {}, defaultdict(list)
    for named, never in NEVER.items():
        groups[tuple(name for name in FIRST if not FIRST[name] & never)].append(named)
    for first, entries in groups.items():
        what = json.dumps([first, [modules(named) for named in entries]])
        done = subprocess.run([sys.executable, "-c", EACH, what], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = map(json.loads, done.stdout.splitlines())
        found |= {named: set(there) for named, there in zip(entries, lines, strict=True)}
    return found


@pytest.mark.parametrize("named", NEVER)
def test_modules_never_import(named, imported):
    assert set(modules(named)) <= imported[named]
    assert imported[named] & NEVER[named] == set()
