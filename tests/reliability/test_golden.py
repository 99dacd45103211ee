"""What earlier code wrote: whole runs and a data folder, kept as they were written, are read, drawn and gone on with.

``golden/format<N>.tar.xz`` is a run of ``golden/points.npz`` with every diagnostic, written by the code of that format
of artifacts; ``expected.json`` in it holds what that code read from each of them: dimensions, shape, type, and the sum
or the first texts.
"""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import repviz
from repviz.cli import main
from repviz.dashboards.app import create_app
from repviz.data.datamodule import EmbeddingDataModule
from repviz.figures import registry
from repviz.figures.view import View
from repviz.store.metrics_table import read_metrics
from tests.conftest import soaking
from tests.training.conftest import _one_thread  # noqa: F401

GOLDEN = Path(__file__).parent / "golden"
FORMATS = ("format1", "format2")


@pytest.fixture(scope="module", params=FORMATS)
def run_dir(request, tmp_path_factory) -> Path:
    """A run of that format whose data lies where it lies here."""
    return unpacked(request.param, tmp_path_factory.mktemp("golden"))


def unpacked(name: str, folder: Path) -> Path:
    with tarfile.open(GOLDEN / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    config = folder / name / "config.yaml"
    if config.exists():
        config.write_text(config.read_text().replace("/golden/points.npz", str(GOLDEN / "points.npz")))
    return folder / name


def told(values: xr.DataArray) -> list:
    numbers = values.to_numpy()
    what = (
        [str(text) for text in numbers.ravel()[:2]] if numbers.dtype.kind in "OU" else np.nansum(numbers.astype(float))
    )
    return [list(values.dims), list(values.shape), numbers.dtype.kind, what]


@pytest.fixture(scope="module")
def found(run_dir) -> dict[tuple[str, str], xr.Dataset]:
    """Each artifact by kind and epoch."""
    run = repviz.open_run(run_dir)
    epochs = {kind: ["run"] if kind == "trajectory" else run.epochs(kind) for kind in run.kinds()}
    return {(kind, str(n)): run.read(kind, None if n == "run" else n) for kind in epochs for n in epochs[kind]}


def test_every_number_is_what_it_was(run_dir, found):
    expected = json.loads((run_dir / "expected.json").read_text())
    assert len(expected) == 12, "every kind there was"
    assert set(found) == {(kind, epoch) for kind, epochs in expected.items() for epoch in epochs}
    for (kind, epoch), dataset in found.items():
        variables = {name: told(dataset[name]) for name in [*dataset.data_vars, *dataset.coords]}
        assert variables == expected[kind][epoch], (kind, epoch)
    run = repviz.open_run(run_dir)
    with np.load(GOLDEN / "points.npz") as points:
        sample = run.sample()
        of_training = sample["split"].values == 0
        assert list(sample["id"].values[of_training]) == list(points["id_train"][sample["index"].values[of_training]])
    assert run.info()["state"] == "finished"
    assert [row["epoch"] for row in read_metrics(run_dir)] == [0, 1]
    assert set(run.results().index) == {"model_best", "logistic_regression"}


def test_its_pictures_are_drawn(run_dir, found):
    drawn = set()
    for picture in map(registry.picture_of, registry.figure_kinds()):
        newest = found.get((picture.kind, "run")) or found.get((picture.kind, "1"))
        if newest is not None:
            assert picture.figure(newest, View()).to_json()
            drawn.add(picture.kind)
    assert drawn == {kind for kind, _ in found}


OLDEST_WITH_SOAK = pytest.mark.parametrize(
    "run_dir", [pytest.param("format1", marks=soaking), "format2"], indirect=True
)


@OLDEST_WITH_SOAK
def test_the_dashboard_serves_it(run_dir, found):
    client, name = create_app(run_dir.parent).server.test_client(), run_dir.name
    manifest = client.get(f"/data/runs/{name}/manifest").json
    assert manifest["state"] == "finished"
    assert set(manifest["artifacts"]) == {kind for kind, _ in found}
    for path in ("frames/pca/1", "frames/umap/1", "sample", "metrics"):
        assert client.get(f"/data/runs/{name}/{path}").status_code == 200


@OLDEST_WITH_SOAK
def test_what_is_missing_is_computed_from_its_checkpoints(run_dir):
    run = repviz.open_run(run_dir)
    whole = run.read("geometry", 1)
    (run_dir / "artifacts" / "geometry" / "epoch_000001.h5").unlink()
    main(["diagnose", "--run-dir", str(run_dir)])
    xr.testing.assert_allclose(run.read("geometry", 1), whole, rtol=1e-4, atol=1e-5)


@OLDEST_WITH_SOAK
def test_it_is_gone_on_with(run_dir, tmp_path):
    own = shutil.copytree(run_dir, tmp_path / run_dir.name)
    last = ["--config", str(own / "config.yaml"), "--ckpt-path", str(own / "checkpoints" / "last.ckpt")]
    main(["fit", *last, "--trainer.max_epochs", "2", "--projection.enabled", "false"])
    run = repviz.open_run(own)
    assert (run.path, run.info()["state"]) == (own, "finished")
    assert run.epochs("geometry")[-2:] == [1, 2]
    rows, before = read_metrics(own), read_metrics(run_dir)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[:2] == before


def test_a_data_folder_is_read_as_it_was(tmp_path):
    modules = [EmbeddingDataModule(str(path)) for path in (unpacked("folder1", tmp_path), GOLDEN / "points.npz")]
    for module in modules:
        module.setup("fit")
    for split in ("train", "val"):
        folder, npz = (module.rows(split) for module in modules)
        assert all(torch.equal(one, other) for one, other in zip(folder.inputs, npz.inputs, strict=True))
        assert torch.equal(folder.labels, npz.labels)
        assert list(folder.split.ids) == list(npz.split.ids)
        assert list(folder.split.texts) == list(npz.split.texts)
