"""Reading and writing the .npz form."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repviz.data.npz import load_npz, read_notes, read_npz, stored_dtypes, unused_keys, write_npz
from repviz.errors import DataError
from tests.data.npz_samples import save, tiny_arrays


def test_real_data_arrives_as_numpy_sees_it(packages):
    arrays = read_npz(packages)
    with np.load(packages, allow_pickle=False) as raw:
        for split, suffix in (("train", "train"), ("val", "val"), ("excluded", "excl")):
            rows = arrays.splits[split]
            embed = "X_excl" if split == "excluded" else f"X_{split}_embed"
            np.testing.assert_array_equal(rows.embeddings, raw[embed].astype(np.float32))
            np.testing.assert_array_equal(rows.labels, raw[f"y_{suffix}"])
            np.testing.assert_array_equal(rows.tabular, raw[f"financial_{suffix}"])
            np.testing.assert_array_equal(rows.ids, raw[f"id_{suffix}"])
            np.testing.assert_array_equal(rows.texts, raw[f"text_{suffix}"])
            assert rows.embeddings.dtype == np.float32
            assert rows.embeddings.flags.c_contiguous
            assert rows.labels.dtype == np.int64
        assert arrays.classes == tuple(raw["classes"].tolist())
    assert list(arrays.splits) == ["train", "val", "excluded"]
    assert (arrays.n_features, arrays.n_tabular) == (384, 10)


def test_what_is_written_is_read_again(tmp_path, packages):
    arrays = replace(read_npz(packages), recipe={"medians": {"DE": [0.1, 1e-300]}, "version": 2})
    write_npz(arrays, tmp_path / "again.npz", notes={"made_from": "Zürich\n"})
    again = read_npz(tmp_path / "again.npz")
    for split, rows in arrays.splits.items():
        for field in ("embeddings", "labels", "tabular", "ids", "texts"):
            before, after = getattr(rows, field), getattr(again.splits[split], field)
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
    assert (again.classes, again.tabular_names) == (arrays.classes, arrays.tabular_names)
    assert again.recipe == arrays.recipe
    assert read_notes(tmp_path / "again.npz") == {"made_from": "Zürich\n"}
    with np.load(tmp_path / "again.npz", allow_pickle=False) as plain:
        np.testing.assert_array_equal(plain["y_excl"], arrays.splits["excluded"].labels)


def test_writing_fails_whole_and_leaves_the_old_file(tmp_path):
    target = save(tmp_path / "data.npz", tiny_arrays())
    before = target.read_bytes()
    arrays = read_npz(target)
    with pytest.raises(ValueError, match="JSON"):
        write_npz(replace(arrays, recipe={"median": float("nan")}), target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_the_reader_never_takes_what_was_written_for_a_bomb(tmp_path, monkeypatch):
    """One long text makes NumPy pad all others to its width, which compresses a hundredfold."""
    for module in ("npz", "npz_members"):
        monkeypatch.setattr(f"repviz.data.{module}.BOMB_SIZE", 1 << 16)
    arrays = tiny_arrays() | {"text_train": np.array(["x" * 100_000, *"abcde"])}
    read = read_npz(save(tmp_path / "data.npz", arrays))
    write_npz(read, tmp_path / "again.npz")
    assert read_npz(tmp_path / "again.npz").splits["train"].texts[0] == "x" * 100_000
    np.savez_compressed(tmp_path / "foreign.npz", **arrays)
    with pytest.raises(DataError, match="text_train: expands from"):
        read_npz(tmp_path / "foreign.npz")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF, 0])
@pytest.mark.parametrize("key", ["classes", "id_train", "text_train"])
def test_what_numpy_takes_for_a_character_and_is_none(tmp_path, code, key):
    array = tiny_arrays()[key].astype("U5")
    array.view(np.uint32).reshape(len(array), 5)[2] = ord("a"), code, ord("b"), 0, 0
    with pytest.raises(DataError, match=f"{key}: characters that are no text in row 2"):
        read_npz(save(tmp_path / "data.npz", tiny_arrays() | {key: array}))


def test_half_characters_among_objects(tmp_path):
    arrays = tiny_arrays() | {"classes": np.array(["ant", "b\ud800", "cat"], dtype=object)}
    with pytest.raises(DataError, match="classes: characters that are no text in row 1"):
        read_npz(save(tmp_path / "data.npz", arrays))


def test_the_rarest_characters_are_texts(tmp_path):
    classes = np.array(["\U0010ffff", "\ud7ff\ue000", "x\u0001"])
    assert read_npz(save(tmp_path / "data.npz", tiny_arrays() | {"classes": classes})).classes == tuple(
        classes.tolist()
    )


def test_labels_of_rows_to_predict_are_not_lost_silently(tmp_path):
    arrays = read_npz(save(tmp_path / "data.npz", tiny_arrays()))
    with pytest.raises(ValueError, match="labels of predict"):
        write_npz(replace(arrays, splits={"predict": arrays.splits["val"]}), tmp_path / "out.npz")


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_floating_dtype_byte_order_and_memory_order(tmp_path, dtype, order):
    arrays = tiny_arrays()
    half = arrays["X_train_embed"].astype(np.float16)
    arrays["X_train_embed"] = np.array(half.astype(dtype), order=order)
    rows = read_npz(save(tmp_path / "data.npz", arrays)).splits["train"]
    np.testing.assert_array_equal(rows.embeddings, half.astype(np.float32))
    assert rows.embeddings.dtype.isnative
    assert rows.embeddings.flags.c_contiguous


def test_arrays_larger_than_one_chunk(tmp_path):
    arrays = tiny_arrays()
    large = np.random.default_rng(1).normal(size=(700, 1001))
    arrays |= {"X_train_embed": large, "X_val_embed": large[:4], "X_excl": np.asfortranarray(large[:2])}
    arrays = {key: value for key, value in arrays.items() if not key.startswith(("id", "text", "financial"))}
    arrays["y_train"] = np.arange(700) % 3
    rows = read_npz(save(tmp_path / "data.npz", arrays)).splits
    np.testing.assert_array_equal(rows["train"].embeddings, large.astype(np.float32))
    np.testing.assert_array_equal(rows["excluded"].embeddings, large[:2].astype(np.float32))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i4", "u4", "i8", "u8"])
def test_any_integer_dtype_for_labels(tmp_path, dtype):
    arrays = tiny_arrays()
    arrays["y_train"] = arrays["y_train"].astype(dtype)
    labels = read_npz(save(tmp_path / "data.npz", arrays)).splits["train"].labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (np.array(["ä", "b", "漢字"]), ("ä", "b", "漢字")),
        (np.array(["ä", "b", "c"], dtype=">U4"), ("ä", "b", "c")),
        (np.array(["ä".encode(), b"b", b"c"]), ("ä", "b", "c")),
        (np.array([10, 20, 30], dtype=np.uint8), ("10", "20", "30")),
        (np.array([10, -20, 30]), ("10", "-20", "30")),
        (np.array(["ä", "b", "c"], dtype=object), ("ä", "b", "c")),
        (np.array([10, "b", b"c"], dtype=object), ("10", "b", "c")),
        (np.array([np.str_("ä"), np.bytes_(b"b"), np.int16(-7)], dtype=object), ("ä", "b", "-7")),
        (np.array(["x" * 300, "b", "c"], dtype=object), ("x" * 300, "b", "c")),
    ],
)
def test_classes_are_texts_or_ids_however_saved(tmp_path, classes, names):
    assert read_npz(save(tmp_path / "data.npz", tiny_arrays() | {"classes": classes})).classes == names


@pytest.mark.filterwarnings("ignore:Custom dtypes")
def test_texts_of_variable_width(tmp_path):
    texts = np.array(["kurz", "länger " * 9, "漢字"], dtype=np.dtypes.StringDType())
    arrays = read_npz(save(tmp_path / "data.npz", tiny_arrays() | {"classes": texts}))
    assert arrays.classes == tuple(texts.tolist())


def test_ids_may_be_numbers_bytes_or_objects_and_are_made_up_where_missing(tmp_path):
    arrays = tiny_arrays()
    del arrays["id_excl"]
    arrays["id_train"] = np.arange(100, 106)
    arrays["id_val"] = np.array(["a", "b", "c", 4], dtype=object)
    splits = read_npz(save(tmp_path / "data.npz", arrays)).splits
    assert splits["train"].ids.tolist() == ["100", "101", "102", "103", "104", "105"]
    assert splits["val"].ids.tolist() == ["a", "b", "c", "4"]
    assert splits["excluded"].ids.tolist() == ["excluded:0", "excluded:1"]
    assert {rows.ids.dtype.kind for rows in splits.values()} == {"U"}


def test_excluded_rows_without_labels_belong_to_no_class(tmp_path):
    arrays = tiny_arrays()
    del arrays["y_excl"]
    assert read_npz(save(tmp_path / "data.npz", arrays)).splits["excluded"].labels.tolist() == [-1, -1]


def test_tabular_columns_have_names(tmp_path):
    arrays = tiny_arrays()
    assert read_npz(save(tmp_path / "data.npz", arrays)).tabular_names == ("tabular_0", "tabular_1")
    arrays["financial_names"] = np.array(["margin", "turnover"])
    assert read_npz(save(tmp_path / "data.npz", arrays)).tabular_names == ("margin", "turnover")


def test_only_what_the_purpose_needs_is_read(tmp_path):
    arrays = tiny_arrays()
    arrays |= {"X_test_embed": arrays["X_val_embed"] + 1, "y_test": arrays["y_val"], "financial_test": np.ones((4, 2))}
    arrays |= {"X_embed": arrays["X_train_embed"] + 1, "financial": np.zeros((6, 2))}
    path = save(tmp_path / "data.npz", arrays)
    assert list(read_npz(path, "fit").splits) == ["train", "val", "excluded"]
    assert list(read_npz(path, "test").splits) == ["test"]
    assert list(read_npz(path, "predict").splits) == ["predict"]
    assert list(read_npz(path, "any").splits) == ["train", "val", "excluded", "test", "predict"]
    assert read_npz(path, "predict").classes == ()
    assert read_npz(path, "test").classes == ("ant", "bee", "cat")
    assert {read_npz(path, purpose).fingerprint for purpose in ("fit", "test", "predict")} == {
        read_npz(path).fingerprint
    }


def test_predicting_falls_back_to_test_then_validation_rows(tmp_path):
    arrays = tiny_arrays()
    validation = read_npz(save(tmp_path / "a.npz", arrays), "predict")
    assert list(validation.splits) == ["val"]
    assert validation.splits["val"].labels.tolist() == [0, 1, 2, 0]
    unlabelled = {"X_test_embed": arrays["X_val_embed"]}
    test = read_npz(save(tmp_path / "b.npz", unlabelled), "predict")
    assert list(test.splits) == ["test"]
    assert test.splits["test"].labels is None


def test_embeddings_alone_are_enough_to_predict(tmp_path):
    path = save(tmp_path / "data.npz", {"X_embed": np.eye(3, dtype=np.float16)})
    for purpose in ("any", "predict"):
        arrays = read_npz(path, purpose)
        assert arrays.classes == ()
        assert arrays.splits["predict"].labels is None
        assert arrays.splits["predict"].ids.tolist() == ["predict:0", "predict:1", "predict:2"]


def test_fingerprint_follows_the_content_alone(tmp_path):
    arrays = tiny_arrays()
    print_of = {"plain": load_npz(save(tmp_path / "a.npz", arrays)).fingerprint}
    np.savez_compressed(tmp_path / "b.npz", **dict(reversed(arrays.items())))
    print_of["compressed"] = load_npz(tmp_path / "b.npz").fingerprint
    assert print_of["plain"] == print_of["compressed"]
    for key in arrays:
        changed = {**arrays, key: arrays[key].copy()}
        changed[key].flat[-1] = changed[key].flat[0]
        if not np.array_equal(changed[key], arrays[key]):
            assert load_npz(save(tmp_path / "c.npz", changed)).fingerprint != print_of["plain"], key
    write_npz(load_npz(tmp_path / "a.npz"), tmp_path / "d.npz", notes={"made": "today"})
    write_npz(load_npz(tmp_path / "a.npz"), tmp_path / "e.npz", notes={"made": "tomorrow"})
    assert load_npz(tmp_path / "d.npz").fingerprint == load_npz(tmp_path / "e.npz").fingerprint


def test_dtypes_as_stored_and_keys_not_read(tmp_path):
    path = save(tmp_path / "data.npz", tiny_arrays() | {"finacial_test": np.ones(3), "note_x": np.array("y")})
    assert stored_dtypes(path)["X_train_embed"] == np.float32
    assert unused_keys(path) == ("finacial_test",)


def test_foreign_keys_may_hold_anything(tmp_path):
    foreign = np.zeros(3, dtype=[("a", "f4"), ("b", "i4")])
    assert len(read_npz(save(tmp_path / "data.npz", tiny_arrays() | {"foreign": foreign})).splits) == 3


def test_note_that_is_no_text(tmp_path):
    path = save(tmp_path / "data.npz", tiny_arrays() | {"note_x": np.array([1.0])})
    with pytest.raises(DataError, match="note_x: shape"):
        read_notes(path)


def test_data_too_large_for_the_machine_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = save(tmp_path / "data.npz", tiny_arrays())
    monkeypatch.setattr("repviz.data.npz.memory_limit", lambda: 500)
    with pytest.raises(DataError, match=r"needs .* of memory"):
        read_npz(path)


def test_reading_needs_neither_torch_nor_pandas():
    code = (
        "import sys, repviz.data.npz, repviz.data.inspect, repviz.data.scaling, repviz.data.reading;"
        "print(sorted({'torch', 'lightning', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed under /proc on Linux only")
def test_files_are_closed_whatever_happens(tmp_path):
    whole = save(tmp_path / "data.npz", tiny_arrays())
    broken = tmp_path / "broken.npz"
    for n_bytes in (30, 1500):
        broken.write_bytes(whole.read_bytes()[:-n_bytes])
        with pytest.raises(DataError) as caught:
            read_npz(broken)
        read_npz(whole)
        still_open = {str(link.resolve()) for link in Path("/proc/self/fd").iterdir()}
        assert not still_open & {str(whole), str(broken)}
        assert caught.value is not None


def test_without_tabular_the_columns_are_as_if_they_were_not_there(packages, tmp_path):
    whole = np.load(packages)
    path = tmp_path / "dirty.npz"
    dirty = whole["financial_train"].copy()
    dirty[3, 2] = np.nan
    np.savez(path, **{**{key: whole[key] for key in whole.files}, "financial_train": dirty})
    with pytest.raises(DataError, match="financial_train"):
        read_npz(path, "fit")
    arrays = read_npz(path, "fit", tabular=False)
    assert arrays.n_tabular == 0
    assert arrays.splits["train"].tabular is None
