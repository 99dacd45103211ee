"""Every ``repviz export`` command once on a run that was really trained, and its files read back by their readers."""

import csv
import itertools
import json

import numpy as np
import pyarrow.parquet
import pytest

from repviz.cli import main
from repviz.run import Run
from tests.dashboards.browser.watching import SLOW
from tests.exports.readers import decoded, offline, read_by_tensorboard

LAYERS = ("input", "block1", "block2", "penultimate", "logits")


def export(run: Run, what: str, *options: str) -> None:
    main(["export", what, "--run-dir", str(run.path), *options])


def test_the_video(trained):
    export(trained, "video", "--size", "480x360", "--fps", "10", "--seconds-per-epoch", "0.4", "--layout", "grid")
    pictures, facts = decoded(trained.path / "exports" / "grid.mp4")
    meant = 5 + 2 * 4 + 15  # half a second, two epochs, one and a half seconds
    assert facts == ("h264", 480, 360, 10.0, pytest.approx(meant / 10, abs=0.1))
    assert len(pictures) == meant
    changes = [np.abs(one.astype(int) - other).max() for one, other in itertools.pairwise(pictures)]
    assert min(changes[5:12]) > 40
    assert max(changes[-10:]) < 40


def test_the_report_opens_without_a_network(trained, tmp_path, chromium):
    out = tmp_path / "report.html"
    export(trained, "report", "--out", str(out))
    kinds = [kind for kind in trained.kinds() if kind != "projection"]
    with offline(out, chromium) as page:
        sections = page.locator("section").evaluate_all("all => all.map((s) => s.id)")
        assert sections == ["summary", "curves", "maps", *kinds, "config"]
        for kind in ("geometry", "surface"):
            card = page.locator(f"#{kind} .figure").first
            card.scroll_into_view_if_needed()
            page.wait_for_function("(card) => card.dataset.drawn", arg=card.element_handle(), timeout=SLOW)
        before = page.locator("#grid canvas").first.evaluate("c => c.toDataURL()")
        page.locator("#at").fill("0")
        assert page.locator("#epoch").inner_text() == "epoch 0"
        assert page.locator("#grid canvas").first.evaluate("c => c.toDataURL()") == before  # the input does not move
        summary = page.locator("#summary").inner_text()
    for name, row in trained.results().iterrows():
        assert f"{name}\t{row.val_accuracy:.4f}" in summary


def test_the_figures(trained, tmp_path):
    export(trained, "figures", "--html-only", "--out", str(tmp_path), "--epoch", "last")
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"{kind}_epoch_000002.html" for kind in trained.kinds()} < names
    assert {"metrics_over_epochs.html", "probe_over_epochs.html"} < names
    assert all(b"Plotly.newPlot" in path.read_bytes() for path in tmp_path.iterdir())


def test_tensorboard_reads_its_files(trained, tmp_path):
    export(trained, "tensorboard", "--out", str(tmp_path), "--epoch", "2")
    shapes, numbers, metadata = read_by_tensorboard(tmp_path)
    assert shapes == {f"{layer}_pcs_epoch_2": (130, 6) for layer in LAYERS}
    meant = trained.read("projection", 2)["scores"].sel(layer="input").values
    np.testing.assert_allclose(numbers.reshape(130, 6), meant, rtol=1e-5)
    _, *rows = metadata.strip("\n").split("\n")
    points = trained.points(epoch=2)
    assert [row.split("\t")[:3] for row in rows] == points[["id", "label", "split"]].to_numpy().tolist()


def test_parquet_is_the_artifacts(trained, tmp_path):
    out = tmp_path / "points.parquet"
    export(trained, "parquet", "--out", str(out), "--epoch", "2")
    table = pyarrow.parquet.read_table(out)
    about = json.loads(table.schema.metadata[b"repviz"])
    assert (about["projection_epoch"], about["prediction_epoch"]) == (2, 2)
    sample, prediction = trained.sample(), trained.read("prediction", 2)
    read = table.to_pydict()
    assert read["id"] == list(sample["id"].values)
    assert read["text"] == list(sample["text"].values)
    np.testing.assert_array_equal(np.array(read["confidence"], np.float32), prediction["confidence"])
    classes = trained.info()["classes"]
    assert read["predicted"] == [classes[k] for k in prediction["logits"].values.argmax(1)]
    for layer in LAYERS:
        meant = trained.read("projection", 2)["coordinates"].sel({"layer": layer, "method": "pca"}).values
        np.testing.assert_array_equal(np.column_stack([read[f"{layer}_pca_{axis}"] for axis in "xy"]), meant)


def test_npz_is_the_artifacts(trained, tmp_path):
    export(trained, "npz", "--out", str(tmp_path))
    for epoch in range(3):
        name = f"epoch_{epoch:03d}.npz"
        with np.load(tmp_path / "projections" / name, allow_pickle=False) as arrays:
            there = trained.read("projection", epoch)
            for layer in LAYERS:
                meant = there["coordinates"].sel({"layer": layer, "method": "pca"}).values
                np.testing.assert_array_equal(arrays[f"{layer}_pca"], meant)
            np.testing.assert_array_equal(arrays["labels"], trained.sample()["label"])
        with np.load(tmp_path / "landscapes" / name, allow_pickle=False) as arrays:
            loss = trained.read("landscape", epoch)["loss"]
            np.testing.assert_array_equal(arrays["loss"], loss.sel(split="val"))
            np.testing.assert_array_equal(arrays["loss_train"], loss.sel(split="train"))
        with np.load(tmp_path / "surfaces" / name, allow_pickle=False) as arrays:
            np.testing.assert_array_equal(arrays["pred"], trained.read("surface", epoch)["prediction"])
    probe = trained.history("probe")
    with (tmp_path / "probes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * len(LAYERS)
    for row in rows:
        there = probe.sel(epoch=int(row["epoch"]), layer=row["layer"])
        assert (float(row["probe_acc"]), float(row["probe_f1"])) == (float(there.accuracy), float(there.f1_macro))
