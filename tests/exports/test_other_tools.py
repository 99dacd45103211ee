"""Files for other tools, read back by their own readers."""

import csv
import json
import sys

import numpy as np
import pyarrow.parquet
import pytest
import xarray as xr

from repviz.cli import main
from repviz.errors import UserError
from repviz.exports.npz import write_npz
from repviz.exports.parquet import write_parquet
from repviz.exports.tensorboard import write_tensorboard
from repviz.run import open_run
from repviz.store.artifacts import write_artifact
from tests.exports.readers import read_by_tensorboard


def test_tensorboard_reads_vectors_and_metadata(run, tmp_path, capsys):
    main(["export", "tensorboard", "--run-dir", str(run.path), "--out", str(tmp_path), "--epoch", "2"])
    assert f"tensorboard --logdir {tmp_path}" in capsys.readouterr().out
    shapes, numbers, metadata = read_by_tensorboard(tmp_path)
    names = [f"{layer}_{method}_epoch_2" for layer in ("input", "penultimate", "logits") for method in ("pca", "umap")]
    assert shapes == dict.fromkeys(names, (300, 2))
    meant = run.read("projection", 2)["coordinates"].sel({"layer": "input", "method": "pca"}).values
    np.testing.assert_allclose(numbers.reshape(300, 2), meant, rtol=1e-6)
    header, *rows = [line.split("\t") for line in metadata.strip("\n").split("\n")]
    assert header == ["id", "label", "split", "text", "size", "depends"]
    assert len(rows) == 300
    sample = run.sample()
    assert [row[0] for row in rows] == list(sample["id"].values)
    assert {row[1] for row in rows} == {*run.info()["classes"], "no class"}
    assert rows[299][1:3] == ["no class", "excluded"]


def test_vectors_are_principal_components_without_what_a_layer_lacks(grow, tmp_path):
    path = grow([0], n=20, layers=("input", "logits"))
    dataset = open_run(path).read("projection", 0)
    scores = np.random.default_rng(0).normal(size=(2, 20, 6))
    scores[1, :, 3:] = np.nan
    write_artifact(path, "projection", 0, dataset.assign(scores=(("layer", "sample", "pc"), scores)), step=0, version=1)
    write_tensorboard(path, tmp_path)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "input_pcs_epoch_0.tsv"), scores[0], rtol=1e-6)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "logits_pcs_epoch_0.tsv"), scores[1, :, :3], rtol=1e-6)


def test_parquet_has_a_row_per_point(grow, tmp_path, capsys):
    path = grow([0, 1], n=50, classes=("a", "b", "c"), layers=("input", "logits"))
    logits = np.random.default_rng(1).normal(size=(50, 3))
    variables = {"logits": (("sample", "class"), logits), "confidence": ("sample", np.linspace(0, 1, 50))}
    write_artifact(path, "prediction", 1, xr.Dataset(variables), step=1, version=1)
    out = tmp_path / "points.parquet"
    main(["export", "parquet", "--run-dir", str(path), "--out", str(out), "--epoch", "last"])
    assert capsys.readouterr().out == f"written: {out}\n"
    table = pyarrow.parquet.read_table(out)
    about = json.loads(table.schema.metadata[b"repviz"])
    assert about == {"run": path.name, "projection_epoch": 1, "prediction_epoch": 1}
    read = table.to_pydict()
    sample = open_run(path).sample()
    assert read["id"] == list(sample["id"].values)
    assert read["text"] == list(sample["text"].values)
    assert read["label"] == [("a", "b", "c", "no class")[k] for k in sample["label"].values]
    assert read["predicted"] == ["abc"[k] for k in logits.argmax(1)]
    np.testing.assert_allclose(read["confidence"], np.linspace(0, 1, 50))
    meant = open_run(path).read("projection", 1)["coordinates"].sel({"layer": "logits", "method": "umap"}).values
    np.testing.assert_array_equal(np.column_stack([read["logits_umap_x"], read["logits_umap_y"]]), meant)


def test_without_pyarrow_the_package_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'pyarrow>="):
        write_parquet(run.path)


def test_npz_has_the_names_that_scripts_read(run, tmp_path):
    main(["export", "npz", "--run-dir", str(run.path), "--out", str(tmp_path)])
    assert sorted(p.name for p in (tmp_path / "projections").iterdir()) == [f"epoch_00{k}.npz" for k in range(4)]
    with np.load(tmp_path / "projections" / "epoch_002.npz", allow_pickle=False) as arrays:
        layers = ("input", "penultimate", "logits")
        assert set(arrays) == {"labels", *(f"{k}_{m}" for k in layers for m in ("pca", "umap"))}
        there = run.read("projection", 2)
        meant = there["coordinates"].sel({"layer": "penultimate", "method": "umap"}).values
        np.testing.assert_array_equal(arrays["penultimate_umap"], meant)
        np.testing.assert_array_equal(arrays["labels"], there["label"].values)
    with np.load(tmp_path / "landscapes" / "epoch_003.npz", allow_pickle=False) as arrays:
        there = run.read("landscape", 3)
        np.testing.assert_array_equal(arrays["loss"], there["loss"].sel(split="val").values)
        np.testing.assert_array_equal(arrays["loss_train"], there["loss"].sel(split="train").values)
        np.testing.assert_array_equal(arrays["alphas"], there["alpha"].values)
        np.testing.assert_array_equal(arrays["betas"], there["beta"].values)
    with np.load(tmp_path / "surfaces" / "epoch_000.npz", allow_pickle=False) as arrays:
        there = run.read("surface", 0)
        assert arrays["grid_x"].shape == arrays["grid_y"].shape == arrays["pred"].shape == (4, 6)
        np.testing.assert_array_equal(arrays["grid_x"][0], there["x"].values)
        np.testing.assert_array_equal(arrays["grid_y"][:, 0], there["y"].values)
        np.testing.assert_array_equal(arrays["proba"].argmax(2), arrays["pred"])
        np.testing.assert_array_equal(arrays["ref_proj"], there["sample_xy"].values)
        np.testing.assert_array_equal(arrays["ref_labels"], there["label"].values)
    with (tmp_path / "probes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["layer"]) for row in rows] == [(e, k) for e in "03" for k in ("input", "block1")]
    assert float(rows[3]["probe_acc"]) == 0.7
    assert float(rows[3]["probe_f1"]) == 0.6


def test_a_run_without_any_of_it_says_so(grow, tmp_path):
    path = grow([], n=20)
    with pytest.raises(UserError, match="nothing to write"):
        write_npz(path)
    with pytest.raises(UserError, match="no vectors"):
        write_tensorboard(path)
