"""Made-up runs with all that scenes read, small enough to be filmed in seconds."""

from pathlib import Path

import numpy as np
import xarray as xr

from repviz.store.artifacts import write_artifact, write_run_artifact
from tests.dashboards.synthetic_run import STEPS, SyntheticRun
from tests.figures import test_landscape, test_probe, test_surface, test_trajectory

LAYERS = ("input", "block1", "logits")


def make_run(path: Path, *, n: int = 60, shift: float = 0.0, epochs: tuple[int, ...] = (0, 1, 2)) -> Path:
    """A finished run; another ``n`` and another ``shift`` give other pictures of every kind."""
    run = SyntheticRun(path, n=n, classes=("admin", "games", "$net$ <b>"), layers=LAYERS, max_epochs=epochs[-1] or 1)
    for epoch in epochs:
        run.write_epoch(epoch)
        part = 0.2 * epoch + shift
        kinds = {"surface": surface(part), "landscape": landscape(part), "probe": probe(part)}
        for kind, dataset in kinds.items():
            write_artifact(path, kind, epoch, dataset, step=epoch * STEPS, version=1)
    path_of_run = test_trajectory.make(epochs=(0, 1, 2))
    path_of_run["path"] = path_of_run["path"] + shift
    path_of_run["true_loss"][0] = np.inf
    write_run_artifact(path, "trajectory", path_of_run, epoch=epochs[-1], step=0, version=1)
    run.say("finished")
    return path


def probe(part: float) -> xr.Dataset:
    """Three steps, the last of which rises."""
    values = {"accuracy": [0.5, 0.4, 0.2 + part], "control_accuracy": [0.1] * 3, "chance": [0.2] * 3}
    made = test_probe.make()
    variables = {name: ("layer", np.array(found)) for name, found in values.items()}
    return xr.Dataset(variables, {"layer": list(LAYERS)}, made.attrs)


def landscape(part: float) -> xr.Dataset:
    """A land that is lifted, with a hole."""
    made = test_landscape.make()
    made["loss"] = made["loss"] * (1 + part * made["alpha"] ** 2)
    made["loss"][:, 0, 0] = np.inf
    return made


def surface(part: float) -> xr.Dataset:
    """A boundary between the first two classes that moves to the right; units that answer along x."""
    made = test_surface.make()
    right = 1 / (1 + np.exp(-4 * (made["x"].values + 1.5 - 2 * part)))
    share = np.stack([0.9 * (1 - right), 0.9 * right, np.full_like(right, 0.1)], axis=-1)
    made["probability"] = (("y", "x", "class"), np.broadcast_to(share, (4, 6, 3)).astype(np.float32))
    made["unit_activation"] = made["unit_activation"] * 0 + (made["x"] * part).astype(np.float32)
    return made
