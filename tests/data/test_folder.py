"""The folder form: it gives what the .npz gives, in memory or left on the disk."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from repviz.data.converting import convert
from repviz.data.datamodule import EmbeddingDataModule
from repviz.data.folder import RECORD
from repviz.data.inspect import summary
from repviz.data.npz import STORED_SHARE, read_npz
from repviz.data.reading import form_of, read
from repviz.errors import DataError
from tests.data.folder_samples import folder_of, same
from tests.data.npz_samples import save, tiny_arrays


@pytest.mark.parametrize("stored", ["always", "never"])
@pytest.mark.parametrize("record", [True, False])
def test_a_folder_gives_what_the_npz_gives(tmp_path, stored, record):
    folder = folder_of(tmp_path, record=record)
    npz = read_npz(save(tmp_path / "data.npz", tiny_arrays()))
    found = read(folder, stored=stored)
    assert form_of(folder) == "arrays"
    assert found.on_disk is (stored == "always")
    same(found, npz)
    assert found.fingerprint == npz.fingerprint
    assert (folder / RECORD).exists() is record


def test_a_folder_written_by_hand(tmp_path):
    """As docs/data.md says."""
    rng = np.random.default_rng(0)
    for split, n_rows in (("train", 500), ("val", 100)):
        embeddings = open_memmap(tmp_path / f"X_{split}_embed.npy", "w+", np.float16, (n_rows, 8))
        for start in range(0, n_rows, 64):
            embeddings[start : start + 64] = rng.normal(size=embeddings[start : start + 64].shape)
        embeddings.flush()
        np.save(tmp_path / f"y_{split}.npy", rng.integers(0, 3, n_rows))
    np.save(tmp_path / "classes.npy", np.array(["a", "b", "c"]))
    arrays = read(tmp_path, purpose="fit", stored="always")
    assert arrays.splits["train"].ids[np.array([499])].tolist() == ["train:499"]
    before = arrays.fingerprint
    embeddings[3, 3] += 1
    embeddings.flush()
    assert read(tmp_path, purpose="fit", stored="always").fingerprint != before


def test_a_folder_is_left_on_the_disk_when_it_would_fill_much_of_the_memory(tmp_path, monkeypatch):
    folder = folder_of(tmp_path)
    assert not read(folder, stored="auto").on_disk
    needed = sum(a.nbytes for a in tiny_arrays().values())
    monkeypatch.setattr("repviz.data.npz.memory_limit", lambda: int(needed / STORED_SHARE) - 100)
    assert read(folder, stored="auto").on_disk
    monkeypatch.setattr("repviz.data.npz.memory_limit", lambda: 500)
    with pytest.raises(DataError, match=r"streamed from the disk \(--data.loading blocks\)"):
        read(folder)
    with pytest.raises(DataError, match=r"streamed from the disk \(repviz data convert --out FOLDER/\)"):
        read(tmp_path / "data.npz")
    with pytest.raises(DataError, match="file, whose rows cannot be read by number"):
        read(tmp_path / "data.npz", stored="always")


def test_scaling_is_that_of_the_rows_in_memory(packages, tmp_path, monkeypatch):
    folder = convert(packages, tmp_path / "folder")
    memory, blocks = EmbeddingDataModule(str(packages)), EmbeddingDataModule(str(folder), loading="blocks")
    for data in (memory, blocks):
        data.setup("fit")
    one, other = memory.state_dict(), blocks.state_dict()
    for part in ("embeddings", "tabular"):
        for name in ("mean", "scale"):
            np.testing.assert_allclose(one[part][name], other[part][name], rtol=1e-6)
    rows = np.array([5, 3199, 0])
    for a, b in zip(memory.rows("train").inputs, blocks.rows("train").inputs, strict=True):
        np.testing.assert_array_equal(a[rows], b[rows])


def test_inspect_says_the_same_of_a_folder(packages, tmp_path):
    folder = convert(packages, tmp_path / "folder")
    one, other = (summary(path).splitlines() for path in (packages, folder))
    assert one[2:] == other[2:]
    assert one[1].split(",")[1:] == other[1].split(",")[1:]


def test_all_processes_read_alike_where_one_has_less_memory(tmp_path):
    folder = folder_of(tmp_path)
    for of_any in (False, True):
        strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all, of_any=of_any: decision or of_any)
        module = EmbeddingDataModule(str(folder))
        module.trainer = SimpleNamespace(world_size=2, strategy=strategy)
        module.setup("fit")
        assert module.arrays.on_disk is of_any
