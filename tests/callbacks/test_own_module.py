"""Anyone's LightningModule and data: a convolutional network on scikit-learn's digits, in a plain script."""

import os
import subprocess
import sys

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import repviz
from repviz.callbacks import (
    GeometryCallback,
    InterpolationCallback,
    LandscapeCallback,
    PredictionCallback,
    ProbeCallback,
    ProjectionCallback,
    ResponseCallback,
    RunRecorder,
    SimilarityCallback,
    SurfaceCallback,
)
from repviz.callbacks.sample import SampleSettings
from repviz.callbacks.subject import criterion_of
from repviz.dashboards.catalog import Catalog
from repviz.errors import UserError
from repviz.run import Run
from repviz.snapshot import Sample
from repviz.store.listing import table
from tests.conftest import ROOT

LAYERS = ("encoder.0", "encoder.4")
POINTS = SampleSettings(size=120, excluded=0)


class Convolutional(L.LightningModule):
    """Two convolutions and a head; knows nothing of repviz."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(4, 6, 3, stride=2)
        )
        self.head = nn.Linear(6 * 9, 10)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x):
        return self.head(self.encoder(x).relu().flatten(1))

    def training_step(self, batch, batch_idx):
        x, y = batch.values() if isinstance(batch, dict) else batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 3e-3)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def digits() -> tuple[TensorDataset, TensorDataset]:
    x, y = load_digits(return_X_y=True)
    images, labels = torch.from_numpy(x.reshape(-1, 1, 8, 8)).float() / 16, torch.from_numpy(y)
    return TensorDataset(images[:600], labels[:600]), TensorDataset(images[600:800], labels[600:800])


def train(callbacks, tmp_path, loaders=None, epochs=2, **options) -> nn.Module:
    L.seed_everything(0, verbose=False)
    module = Convolutional()
    train_set, val_set = digits()
    loaders = loaders or (DataLoader(train_set, 64, shuffle=True), DataLoader(val_set, 200))
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False,
        callbacks=callbacks, default_root_dir=tmp_path, enable_checkpointing=bool(callbacks),
        **{"logger": False, **options},
    )  # fmt: skip
    trainer.fit(module, *loaders)
    return module


def only_run(folder) -> Run:
    (run_dir,) = folder.iterdir()
    return repviz.open_run(run_dir)


def everything(mode):
    return [
        ProjectionCallback(layers=["input", *LAYERS, "logits"], n_epochs=20, n_epochs_next=10, mode=mode),
        ProbeCallback(layers=["encoder.4"], mode=mode),
        LandscapeCallback(resolution=5, n_points=40, mode=mode),
        *(c(mode=mode) for c in (PredictionCallback, GeometryCallback, SimilarityCallback, ResponseCallback)),
        SurfaceCallback(resolution=8, mode=mode),
        InterpolationCallback(pairs=8, mode=mode),
    ]


def test_every_diagnostic_looks_at_a_network_that_is_not_ours(tmp_path):
    runs = {}
    for mode in ("inline", "background"):
        module = train([RunRecorder(tmp_path / mode, POINTS), *everything(mode)], tmp_path)
        runs[mode] = only_run(tmp_path / mode)
    plain = train([], tmp_path)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, module.state_dict()[name]), f"{name} is another for being looked at"
    inline, beside = runs["inline"], runs["background"]
    assert {c.kind for c in everything("inline")} == set(inline.kinds())
    for kind in inline.kinds():
        assert inline.errors(kind) == beside.errors(kind) == {}, kind
        assert inline.epochs(kind) == [0, 1, 2]
        xr.testing.assert_equal(inline.read(kind, 2), beside.read(kind, 2))
    assert list(inline.read("projection", 2).layer.values) == ["input", *LAYERS, "logits"]
    assert inline.read("landscape", 2).attrs["evaluation"] == "vmap"

    sample, last = inline.sample(), inline.read("prediction", 2)
    images, labels = (torch.cat(parts) for parts in zip(*(part.tensors for part in digits()), strict=True))
    rows = sample["index"].values + np.where(sample["split"].values == 1, 600, 0)
    np.testing.assert_array_equal(sample["label"], labels[rows])
    with torch.no_grad():
        np.testing.assert_allclose(last["logits"], module.eval()(images[rows]), rtol=1e-4, atol=1e-5)
    assert list(inline.metrics()["val_acc"].notna()) == [True] * 3
    assert inline.info()["data"]["rows"] == {"train": 600, "val": 200}
    assert Catalog(tmp_path / "inline").names() == [inline.name]
    assert "finished" in table(tmp_path / "inline")


def test_the_criterion_of_a_module_is_found_whatever_it_is():
    assert isinstance(criterion_of(Convolutional()), nn.CrossEntropyLoss), "a submodule, which Python 3.12 hides"
    plain = nn.Linear(2, 2)
    assert criterion_of(plain) is None
    plain.criterion = nn.functional.cross_entropy
    assert criterion_of(plain) is nn.functional.cross_entropy
    plain.criterion = "cross entropy"
    assert criterion_of(plain) is None, "nothing that can be called"


def test_the_callback_alone_makes_a_complete_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train([SimilarityCallback(mode="inline")], tmp_path, epochs=1)
    run = only_run(tmp_path / "runs")
    assert run.info()["state"] == "finished"
    assert run.epochs("similarity") == [0, 1]
    assert run.info()["classes"] == [str(k) for k in range(10)]


def test_a_layer_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(UserError, match=r"no layer 'encoder.9'; it has input, logits, encoder, encoder.0, encoder.1"):
        train([RunRecorder(tmp_path / "runs", POINTS), ProbeCallback(layers=["encoder.9"])], tmp_path)


class Named(torch.utils.data.Dataset):
    """Batches that are no pairs."""

    def __init__(self, source):
        self.source = source

    def __len__(self):
        return len(self.source)

    def __getitem__(self, i):
        x, y = self.source[i]
        return {"image": x, "digit": y}


class Stream(IterableDataset):
    """Rows without an index."""

    def __iter__(self):
        return iter(digits()[0])


def test_batches_of_another_form_are_taken_apart_as_one_says(tmp_path):
    train_set, val_set = digits()
    loaders = DataLoader(Named(train_set), 64), DataLoader(val_set, 200)
    with pytest.raises(UserError, match=r"a batch is a dict.*RunRecorder\(unpack="):
        train([RunRecorder(tmp_path / "no", POINTS), SimilarityCallback()], tmp_path, loaders)
    unpack = lambda batch: tuple(batch.values() if isinstance(batch, dict) else batch)  # noqa: E731
    recorder = RunRecorder(tmp_path / "yes", POINTS, unpack=unpack)
    train([recorder, SimilarityCallback(mode="inline")], tmp_path, loaders, epochs=1)
    assert only_run(tmp_path / "yes").epochs("similarity") == [0, 1]


def test_a_stream_needs_the_points_and_takes_them(tmp_path):
    loaders = DataLoader(Stream(), 64), DataLoader(digits()[1], 200)
    with pytest.raises(UserError, match=r"IterableDataset.*sample="):
        train([RunRecorder(tmp_path / "no", POINTS), SimilarityCallback()], tmp_path, loaders)
    images, labels = digits()[1][:30]
    zeros = np.zeros(30, np.int8)
    ids, classes = np.array([f"d{k}" for k in range(30)]), tuple("0123456789")
    sample = Sample((images,), labels.numpy(), zeros + 1, np.arange(30), ids, classes)
    train([RunRecorder(tmp_path / "yes", sample), SimilarityCallback(mode="inline")], tmp_path, loaders, epochs=1)
    run = only_run(tmp_path / "yes")
    assert run.epochs("similarity") == [0, 1]
    assert list(run.sample()["id"].values) == list(ids)


def test_the_example_script_makes_a_run_and_its_logger_has_the_key_numbers(tmp_path):
    script = ROOT / "examples" / "own_model.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    run = repviz.open_run(folder)
    epochs = {kind: run.epochs(kind) for kind in run.kinds()}
    assert epochs == {kind: [0, 1, 2, 3, 4] for kind in ("geometry", "probe", "projection")}
    probe = run.history("probe").accuracy.sel(layer="encoder.3")
    assert float(probe[-1]) > float(probe[0])
    (logged,) = (tmp_path / "logs").rglob("metrics.csv")
    rows = pd.read_csv(logged).dropna(subset="probe/encoder.3/accuracy")
    np.testing.assert_allclose(rows.sort_values("step")["probe/encoder.3/accuracy"], probe)
