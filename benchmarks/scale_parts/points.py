"""More points on one map: its file, its frame, and a step through the epochs in the browser."""

import tempfile
from pathlib import Path

from dashboard_parts.browser import chromium, new_page, steps
from dashboard_parts.made_run import MadeRun
from gpu_parts.made import snapshot
from repviz.dashboards.app import create_app
from repviz.dashboards.frames import read_frames
from repviz.diagnostics.geometry import Geometry
from repviz.diagnostics.prediction import Prediction
from repviz.diagnostics.probe import Probe
from repviz.diagnostics.projection import Projection
from repviz.diagnostics.similarity import Similarity
from repviz.store.artifacts import artifact_path, read_artifact
from scale_parts.costs import Table
from scale_parts.served import RUN, serving

SIZES = (10_000, 100_000, 1_000_000)
UNITS, CLASSES = 64, 20
EPOCHS = 5
DIAGNOSTICS = {
    "a map by PCA, two layers": Projection(methods=("pca",)),
    "a first map by UMAP, one layer": Projection(methods=("umap",), layers=("layer0",)),
    "their geometry": Geometry(),
    "their similarity": Similarity(),
    "their probes": Probe(),
    "prediction": Prediction(),
}
"""Every kind that looks at each point of the sample and does not need the network."""
_STEP = """async (epoch) => {
    repviz.goTo(epoch);
    const map = () => repviz.grids[0].maps[0].root.dataset.epoch;
    while (map() !== String(epoch)) await new Promise(requestAnimationFrame);
}"""
_DRAWN = "window.repviz?.grids?.[0]?.maps[0]?.root.dataset.epoch === '0'"


def measure(table: Table, sizes: tuple[int, ...] = SIZES) -> None:
    """Of one layer: what is computed of it, and its map."""
    for n in sizes:
        seen = snapshot(n, (UNITS, CLASSES), "cpu")
        for name, diagnostic in DIAGNOSTICS.items():
            diagnostic.compute(snapshot(1_000, (UNITS, CLASSES), "cpu"))  # the libraries' own start
            table.time(name, "point", n, lambda d=diagnostic, s=seen: d.compute(s), 1)
    with chromium() as browser:
        for n in sizes:
            with tempfile.TemporaryDirectory() as folder:
                runs = Path(folder)
                run = MadeRun(runs / RUN, n, 1)
                run.begin()
                table.time("write an artifact", "point", n, lambda run=run: run.write_epoch(0))
                for epoch in range(1, EPOCHS):
                    run.write_epoch(epoch)
                run.say("finished", EPOCHS - 1)
                path = artifact_path(run.path, "projection", 0)
                table.time("read an artifact", "point", n, lambda path=run.path: read_artifact(path, "projection", 0))
                table.time("make its frames", "point", n, lambda path=path: read_frames(path))
                client = create_app(runs).server.test_client()
                frame = f"/data/runs/{RUN}/frames/umap/0"
                client.get(frame)
                table.time("send a frame that is known", "point", n, lambda c=client, f=frame: c.get(f).data)
                table.note("a frame", "point", n, len(client.get(frame).data), "B")
                table.note("the sample", "point", n, len(client.get(f"/data/runs/{RUN}/sample").data), "B")
                with serving(runs) as address:
                    page = new_page(browser)
                    page.goto(f"{address}/?run={RUN}&page=representations&epoch=0")
                    page.wait_for_function(_DRAWN)
                    step = steps(page, _STEP, list(range(1, EPOCHS)), 300)
                    table.note("a step in the browser, its main thread", "point", n, step.work / 1000)
                    page.context.close()
