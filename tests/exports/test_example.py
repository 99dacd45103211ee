"""The example notebook: it runs on any run, and what is committed of it was run from top to bottom."""

import base64
import re
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "explore_a_run.ipynb"
FIGURE = "application/vnd.plotly.v1+json"


def test_it_runs_on_another_run(trained, tmp_path, monkeypatch):
    execute = pytest.importorskip("examples.execute")
    pytest.importorskip("jscatter")
    monkeypatch.setenv("REPVIZ_RUN", str(trained.path))
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    notebook = execute.executed(Path(shutil.copy(NOTEBOOK, tmp_path)))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
    assert f"repviz run {trained.name}" in outputs[0].data["text/html"]
    shown = [kind for output in outputs for kind in output.data]
    assert (shown.count(FIGURE), shown.count("image/png")) == (2, 2)
    assert any("MapWidget('penultimate · PCA · epoch 2" in output.data.get("text/plain", "") for output in outputs)
    figures = [output.data[FIGURE] for output in outputs if FIGURE in output.get("data", {})]
    stressed = [trace["selectedpoints"] for trace in figures[1]["data"] if trace.get("selectedpoints")]
    assert sum(len(np.frombuffer(base64.b64decode(rows["bdata"]), rows["dtype"])) for rows in stressed) == 6


def test_what_is_committed_was_run_in_order_and_names_no_machine():
    text = NOTEBOOK.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells)
    assert len(text) < 1_000_000
    assert not re.search(r"/(root|tmp|work|Users)/", text)
    pictures = re.findall(r"\]\((\S+?)\)", "".join(cell.source for cell in notebook.cells))
    assert pictures
    assert all((NOTEBOOK.parent / name).exists() for name in pictures)
