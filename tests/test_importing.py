"""Activations that someone else's loop has saved become a run like any other."""

import zipfile

import numpy as np
import pytest
from sklearn.metrics import log_loss

from repviz.cli import main
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.errors import UserError
from repviz.importing import KINDS, files_by_epoch, import_embeddings, read_points
from repviz.run import open_run
from tests.data.npz_samples import npy_claiming

N, CLASSES = 90, ("ant", "bee", "cat")


@pytest.fixture
def saved(tmp_path):
    """Three epochs in which the classes part; their numbers end at 10, so that names do not sort as epochs do."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, N)
    centers = rng.normal(size=(3, 8)) * 3
    folder = tmp_path / "saved"
    folder.mkdir()
    for epoch in (0, 2, 10):
        hidden = centers[labels] * epoch / 10 + rng.normal(size=(N, 2, 4)).reshape(N, 8)
        logits = hidden @ centers.T / 8
        np.savez(folder / f"run7_epoch{epoch}.npz", hidden=hidden.reshape(N, 2, 4), logits=logits)
    texts = np.array([f"text {i}" for i in range(N)])
    np.savez(tmp_path / "labels.npz", labels=np.array(CLASSES)[labels], texts=texts)
    return folder, tmp_path / "labels.npz"


def test_every_diagnostic_that_activations_suffice_for_works_and_the_page_shows_it(saved, tmp_path, capsys):
    folder, labels = saved
    runs_dir = tmp_path / "runs"
    main(["import-embeddings", str(folder), "--labels", str(labels), "--runs-dir", str(runs_dir)])
    (run_dir,) = runs_dir.iterdir()
    assert str(run_dir) in capsys.readouterr().out
    run = open_run(run_dir)
    assert run.kinds() == sorted(KINDS)
    assert all(run.epochs(kind) == [0, 2, 10] and not run.errors(kind) for kind in KINDS)
    assert run.info()["state"] == "finished"
    assert run.info()["classes"] == list(CLASSES)
    probe = run.history("probe")["accuracy"].sel(layer="hidden").values
    assert probe[0] < 0.7 < probe[2]
    sample, table = run.sample(), run.metrics().set_index("epoch")
    assert list(np.bincount(sample["split"].values)) == [72, 18]
    val = sample["split"].values == 1
    with np.load(folder / "run7_epoch10.npz") as arrays:
        logits, truth = arrays["logits"][val], sample["label"].values[val]
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    meant = log_loss(truth, exponent / exponent.sum(1, keepdims=True), labels=[0, 1, 2])
    assert table.loc[10, "val_accuracy"] == pytest.approx((logits.argmax(1) == truth).mean())
    assert table.loc[10, "val_loss"] == pytest.approx(meant, rel=1e-5)
    assert list(sample["text"].values[:2]) == ["text 0", "text 1"]
    catalog = Catalog(runs_dir)
    manifest = Manifests(catalog, FileCache(10**7)).of_run(catalog.find(run.name))
    assert manifest["artifacts"]["projection"]["epochs"] == [0, 2, 10]
    assert manifest["problems"] == []
    assert set(manifest["extents"]["umap"]) == {"hidden", "logits"}


def test_without_logits_only_what_does_not_need_them(saved, tmp_path):
    folder, labels = saved
    for path in folder.iterdir():
        with np.load(path) as arrays:
            np.save(path.with_suffix(".npy"), arrays["hidden"])
        path.unlink()
    run = open_run(import_embeddings([folder], labels, tmp_path / "runs", only=["probe", "similarity"]))
    assert run.kinds() == ["probe", "similarity"]
    assert list(run.read("probe", 2)["layer"].values) == ["activations"]
    assert run.metrics()["val_accuracy"].isna().all()
    with pytest.raises(UserError, match="geometry needs an array called logits"):
        import_embeddings([folder], labels, tmp_path / "runs", only=["geometry"])


def test_epochs_are_the_last_numbers_of_the_names(saved, tmp_path):
    folder, _ = saved
    assert {epoch: path.name for epoch, path in files_by_epoch([folder]).items()} == {
        epoch: f"run7_epoch{epoch}.npz" for epoch in (0, 2, 10)
    }
    np.save(folder / "other_02.npy", np.zeros((N, 2)))
    with pytest.raises(UserError, match="both of epoch 2"):
        files_by_epoch([folder])
    np.save(tmp_path / "final.npy", np.zeros((N, 2)))
    with pytest.raises(UserError, match=r"no number to take for the epoch; call it epoch_003\.npy"):
        files_by_epoch([tmp_path / "final.npy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": np.zeros((N - 1, 4))}, r"hidden is float64 89x4; numbers of shape 90xunits"),
        ({"hidden": np.full((N, 4), np.nan)}, "not finite"),
        ({"other": np.zeros((N, 4))}, "has the layers other; the first epoch has hidden, logits"),
        ({"hidden": np.array([{}] * N)}, "hidden: Python objects"),
    ],
)
def test_files_that_cannot_be_are_named(saved, tmp_path, change, message):
    folder, labels = saved
    path = folder / "run7_epoch10.npz"
    logits = {} if "other" in change else {"logits": np.zeros((N, 3))}
    np.savez(path, **logits, **change)
    with pytest.raises(UserError, match=message) as raised:
        import_embeddings([folder], labels, tmp_path / "runs", only=["probe"])
    assert "run7_epoch10.npz" in str(raised.value)
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert open_run(run_dir).info()["state"] == "failed"


def harmed(path, harm):
    """The file of activations, damaged or made to claim what is not there; ``.npy`` where that says enough."""
    content = path.read_bytes()
    if harm == "duplicate":
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
            archive.writestr(archive.namelist()[0], content[:100])
    elif harm == "changed":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif harm == "cut off":
        path.write_bytes(content[: len(content) // 2])
    else:
        claim = npy_claiming("<f4", (10**12, 3), b"x" * 72)
        if harm == "claim in an archive":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("hidden.npy", claim)
        else:
            path.unlink()
            path = path.with_suffix(".npy")
            path.write_bytes(claim if harm == "claim" else claim[:30])
    return path


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("duplicate", "is there more than once"),
        ("changed", "is damaged or cut off"),
        ("cut off", "damaged or cut off"),
        ("claim", "claims shape (1000000000000, 3) of float32, 10.9 TiB, but holds 72 B"),
        ("claim in an archive", "but holds 72 B"),
        ("cut header", "damaged or cut off"),
    ],
)
@pytest.mark.parametrize("which", ["epoch", "labels"])
def test_files_of_strangers_are_refused_before_anything_is_allocated(saved, tmp_path, capsys, harm, words, which):
    folder, labels = saved
    path = harmed(folder / "run7_epoch0.npz" if which == "epoch" else labels, harm)
    labels = path if which == "labels" else labels
    with pytest.raises(SystemExit) as ended:
        main(["import-embeddings", str(folder), "--labels", str(labels), "--runs-dir", str(tmp_path / "runs")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert words in said
    assert len(said.strip().splitlines()) <= 3


def test_labels_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "labels.npz"
    for arrays, message in (
        ({"labels": np.zeros((3, 2), int)}, "integers or texts are expected"),
        ({"labels": np.array([0, 5]), "classes": np.array(["a", "b"])}, "labels are 0 to 5; 0 to 1, or -1"),
        ({"labels": np.array([0, 1]), "split": np.array([0, 7])}, "split must be 0"),
        ({"labels": np.array([0, 1]), "ids": np.array(["x"])}, r"ids has the shape \(1,\); there are 2 labels"),
        ({"y": np.zeros(2), "x": np.zeros(2)}, "an array called labels is expected"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(UserError, match=message):
            read_points(path, 0)
