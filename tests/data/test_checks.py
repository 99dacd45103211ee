"""Checks that .npz files and pickles share, and matching new data to what a model was trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repviz.data.arrays import Arrays, Split
from repviz.data.checks import check, count_missing, matched_to_training
from repviz.data.keys import NPZ_KEYS
from repviz.errors import DataError

TABLE_NAMES = {
    ("train", "embeddings"): "business_description_embedding",
    ("train", "labels"): "industry",
    ("train", "tabular"): "net_profit_margin",
    ("train", "ids"): "id",
}


def split(n_rows: int, prefix: str, n_classes: int = 3, n_tabular: int = 2) -> Split:
    rng = np.random.default_rng(n_rows)
    return Split(
        embeddings=rng.normal(size=(n_rows, 4)).astype(np.float32),
        labels=np.arange(n_rows) % n_classes,
        tabular=rng.normal(size=(n_rows, n_tabular)).astype(np.float32),
        ids=np.array([f"{prefix}{i}" for i in range(n_rows)]),
    )


@pytest.fixture
def arrays() -> Arrays:
    splits = {"train": split(9, "t"), "val": split(6, "v"), "excluded": split(3, "e")}
    return Arrays(splits, ("ant", "bee", "cat"), ("margin", "turnover"), Path("df_train.pkl"), "0123")


def with_rows(arrays: Arrays, name: str, **changes: object) -> Arrays:
    return replace(arrays, splits={**arrays.splits, name: replace(arrays.splits[name], **changes)})


def error(arrays: Arrays, names=NPZ_KEYS) -> str:
    with pytest.raises(DataError) as caught:
        check(arrays, names)
    assert str(caught.value).count("\n") == 1
    return str(caught.value)


def test_good_data_passes(arrays):
    check(arrays)
    check(replace(arrays, splits={"predict": replace(arrays.splits["train"], labels=None)}, classes=()))
    check(with_rows(arrays, "excluded", labels=np.array([-1, -1, 2])))
    empty = Split(np.ones((0, 4), np.float32), np.ones(0, int), np.ones((0, 2), np.float32), np.ones(0, "U1"))
    check(replace(arrays, splits={**arrays.splits, "excluded": empty}))


def test_a_class_without_training_rows_is_allowed(arrays):
    check(with_rows(arrays, "train", labels=np.arange(9) % 2))


def test_names_are_those_of_the_users_file(arrays):
    bad = with_rows(arrays, "train", tabular=np.full((9, 2), np.nan, np.float32))
    assert error(bad, TABLE_NAMES).startswith("df_train.pkl: net_profit_margin: 18 NaN and 0 infinite")
    bad = with_rows(arrays, "train", labels=np.full(9, 7))
    assert error(bad, TABLE_NAMES).startswith(
        "df_train.pkl: industry: 9 of 9 labels are outside the 3 classes: 7 (row 0)"
    )
    bad = with_rows(arrays, "val", ids=np.array(list("abcdea")))
    assert error(bad, TABLE_NAMES).startswith("df_train.pkl: ids of val: 1 ids come again: 'a' (row 5,")


def test_counts_of_missing_numbers_over_several_chunks():
    array = np.zeros((30_000, 200), np.float32)
    array[[0, 29_999], 3] = np.nan
    array[15_000] = np.inf
    array[15_001, 0] = -np.inf
    assert count_missing(array) == (2, 201)


def test_rows_of_missing_numbers_over_several_chunks(arrays):
    embeddings = np.zeros((30_000, 200), np.float32)
    embeddings[[4, 21_000, 29_999], 3] = np.nan, np.nan, np.inf
    rows = Split(embeddings, None, None, np.arange(30_000).astype(str))
    message = error(replace(arrays, splits={"predict": rows}, tabular_names=()))
    assert "X_embed: 2 NaN and 1 infinite numbers in 3 of 30000 rows: row 4, 21000, 29999" in message


@pytest.mark.parametrize(
    ("name", "changes", "key", "found"),
    [
        ("train", {"labels": None}, "y_train", "missing"),
        ("val", {"labels": None}, "y_val", "missing"),
        ("val", {"tabular": None}, "financial_val", "missing"),
        ("val", {"tabular": np.ones((6, 3), np.float32)}, "financial_val", "3 columns"),
        ("excluded", {"embeddings": np.ones((3, 5), np.float32)}, "X_excl", "5 columns"),
        ("excluded", {"embeddings": np.ones((2, 4), np.float32)}, "y_excl", "3 rows"),
        ("train", {"embeddings": np.ones((9, 4), int)}, "X_train_embed", "dtype int64"),
        ("train", {"ids": np.array(list("abcdefghb"))}, "id_train", "'b' (row 8, and id_train row 1)"),
        (
            "excluded",
            {"ids": np.array(["e0", "v5", "t8"])},
            "id_excl",
            "'v5' (row 1, and id_val row 5), 't8' (row",
        ),
        ("train", {"labels": np.full(9, 2)}, "y_train", "all 9 rows are of class 'cat'"),
        ("train", {"labels": np.arange(9) % 3 - 1}, "y_train", "3 of 9 labels are outside the 3 classes: -1 (row 0)"),
        ("excluded", {"labels": np.array([0, 3, -1])}, "y_excl", "3 (row 1)"),
        ("train", {"texts": np.array(["a", "b"])}, "text_train", "2 rows"),
    ],
)
def test_one_error_for_what_is_wrong(arrays, name, changes, key, found):
    message = error(with_rows(arrays, name, **changes))
    assert message.startswith(f"df_train.pkl: {key}: ")
    assert found in message


def test_training_rows_need_validation_rows(arrays):
    assert "X_val_embed: missing" in error(replace(arrays, splits={"train": arrays.splits["train"]}))


def test_names_of_tabular_columns_fit_the_columns(arrays):
    assert "financial_names: 1 names" in error(replace(arrays, tabular_names=("margin",)))
    assert "financial_names: 'x' more than once" in error(replace(arrays, tabular_names=("x", "x")))
    bare = {name: replace(rows, tabular=None) for name, rows in arrays.splits.items()}
    assert "there are no tabular arrays" in error(replace(arrays, splits=bare))


MODEL = {"classes": ("cat", "ant", "bee", "dog"), "n_features": 4, "tabular_names": ("margin", "turnover")}


def test_labels_are_matched_by_the_name_of_the_class(arrays):
    before = with_rows(arrays, "excluded", labels=np.array([-1, 2, 0]))
    after = matched_to_training(before, **MODEL)
    assert after.classes == MODEL["classes"]
    for name, rows in before.splits.items():
        named = [before.classes[k] if k >= 0 else None for k in rows.labels]
        assert [after.classes[k] if k >= 0 else None for k in after.splits[name].labels] == named
        assert after.splits[name].labels.dtype == np.int64


def test_tabular_columns_are_matched_by_name(arrays):
    wanted = MODEL | {"tabular_names": ("turnover",)}
    after = matched_to_training(arrays, **wanted)
    np.testing.assert_array_equal(after.splits["val"].tabular, arrays.splits["val"].tabular[:, [1]])
    assert after.splits["val"].tabular.flags.c_contiguous
    swapped = matched_to_training(arrays, **(MODEL | {"tabular_names": ("turnover", "margin")}))
    np.testing.assert_array_equal(swapped.splits["train"].tabular, arrays.splits["train"].tabular[:, ::-1])
    check(swapped)


@pytest.mark.parametrize("side", ["data", "model"])
def test_unnamed_tabular_columns_are_matched_by_number(arrays, side):
    unnamed = ("tabular_0", "tabular_1")
    data = replace(arrays, tabular_names=unnamed) if side == "data" else arrays
    model = MODEL | ({"tabular_names": unnamed} if side == "model" else {})
    after = matched_to_training(data, **model)
    np.testing.assert_array_equal(after.splits["train"].tabular, arrays.splits["train"].tabular)
    assert after.tabular_names == model["tabular_names"]


def test_a_model_without_tabular_columns(arrays):
    dropped = matched_to_training(arrays, **(MODEL | {"tabular_names": ()}))
    assert dropped.splits["train"].tabular is None
    assert dropped.n_tabular == 0
    check(dropped)
    kept = matched_to_training(arrays, **(MODEL | {"tabular_names": None}))
    assert kept.splits["train"].tabular is arrays.splits["train"].tabular


def test_unlabelled_rows_get_the_models_classes(arrays):
    rows = replace(arrays.splits["val"], labels=None)
    after = matched_to_training(replace(arrays, splits={"predict": rows}, classes=()), **MODEL)
    assert after.classes == MODEL["classes"]
    assert after.splits["predict"].labels is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_features": 5}, "X_train_embed: 4 columns\n  expected: 5, as in the data the model was trained on"),
        ({"classes": ("ant", "bee")}, "classes: 1 classes that the model does not know: 'cat'\n"),
        ({"tabular_names": ("margin", "other")}, "financial_train: 2 columns: 'margin', 'turnover'\n"),
        ({"tabular_names": ("tabular_0",)}, "missing: 'tabular_0'"),
    ],
)
def test_data_that_the_model_cannot_take(arrays, changes, message):
    with pytest.raises(DataError) as caught:
        matched_to_training(arrays, **(MODEL | changes))
    assert message in str(caught.value)


def test_a_model_with_tabular_columns_needs_them(arrays):
    bare = {name: replace(rows, tabular=None) for name, rows in arrays.splits.items()}
    with pytest.raises(DataError, match="financial_train: missing\n  expected: 2 columns"):
        matched_to_training(replace(arrays, splits=bare, tabular_names=()), **MODEL)
