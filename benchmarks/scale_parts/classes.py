"""More classes of as many points: the diagnostics that go by class, their figures, and the overview's answer."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from plotly.io.json import to_json_plotly

from repviz.dashboards import overview_routes
from repviz.diagnostics.geometry import Geometry
from repviz.diagnostics.prediction import Prediction
from repviz.diagnostics.probe import Probe
from repviz.figures import prediction
from repviz.figures.view import View
from repviz.snapshot import Sample, Snapshot
from repviz.store.artifacts import artifact_path, write_artifact
from repviz.store.run_folder import identity, write_run_file
from scale_parts.costs import Table
from scale_parts.served import RUN

SIZES = (2, 20, 200, 1_000)
POINTS, UNITS = 6_000, 64


def measure(table: Table, sizes: tuple[int, ...] = SIZES) -> None:
    """Of one layer of ``POINTS`` points."""
    for n in sizes:
        snapshot = made(n)
        for diagnostic in (Prediction(), Probe(), Geometry()):
            table.time(f"{diagnostic.kind}.compute", "class", n, lambda d=diagnostic, s=snapshot: d.compute(s), 1)
        dataset = Prediction().compute(snapshot)
        table.time("figure of the prediction", "class", n, lambda d=dataset: prediction.figure(d, View()))
        figure = to_json_plotly(prediction.figure(dataset, View()))
        table.note("the figure as JSON", "class", n, len(figure), "B")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / RUN
            path.mkdir()
            write_run_file(path, identity() | {"state": "finished", "classes": list(snapshot.sample.classes)})
            write_artifact(path, "prediction", 0, dataset, step=0, version=1)
            overview = partial(overview_answer, artifact_path(path, "prediction", 0))
            table.note("the overview's answer", "class", n, len(overview()), "B")
            table.time("draw the prediction on the overview", "class", n, overview)


def overview_answer(path: Path) -> str:
    """What the overview gets of the prediction at ``path``, read and drawn."""
    return to_json_plotly(overview_routes.prediction(overview_routes.read_prediction(path), RUN, 0, "light"))


def made(n_classes: int) -> Snapshot:
    """Points around the center of their class, a third of them of the val split, and logits that are mostly right."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(POINTS) % n_classes)
    centers = rng.normal(size=(n_classes, UNITS))
    points = (centers[labels] + rng.normal(size=(POINTS, UNITS))).astype(np.float32)
    sample = Sample(
        inputs=(),
        labels=labels,
        split=(np.arange(POINTS) % 3 == 2).astype(np.int8),
        index=np.arange(POINTS),
        ids=np.array([f"p{i}" for i in range(POINTS)]),
        classes=tuple(f"class {k}" for k in range(n_classes)),
    )
    logits = torch.as_tensor(points @ centers.T, dtype=torch.float32)
    return Snapshot(1, 10, sample, {"block1": torch.as_tensor(points)}, logits)
