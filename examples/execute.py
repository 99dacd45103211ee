"""Run a notebook anew and keep its outputs: ``python examples/execute.py examples/explore_a_run.ipynb``.

Needs the extra ``dev``. ``PLOTLY_RENDERER=plotly_mimetype+png`` also stores pictures of the figures, for viewers that
run no scripts.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(path: Path, timeout: int = 120) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh kernel, without what only a live kernel can show.

    Args:
        path: the file; cells run in its folder.
        timeout: seconds that a cell may take.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell has failed.
    """
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=timeout, resources=folder, store_widget_state=False).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


if __name__ == "__main__":
    for name in sys.argv[1:]:
        nbformat.write(executed(Path(name)), name)
