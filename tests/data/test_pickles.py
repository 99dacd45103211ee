"""The two-table form: join, embeddings in all their spellings, and split."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from repviz.data import pickles
from repviz.data.arrays import NO_CLASS
from repviz.data.npz import read_npz, write_npz
from repviz.data.splitting import stratified_split
from repviz.data.tabular import RATIOS, TabularRecipe, feature_names, transform
from repviz.data.unpickling import read_table
from tests.data.pickled_tables import (
    CLASSES,
    N_ROWS,
    NOT_IN_FINANCIALS,
    NOT_IN_MAIN,
    WIDTH,
    WITHOUT_INDUSTRY,
    main_table,
    vectors_of,
    write_tables,
    write_test_tables,
)
from tests.data.pickles_read import error, read

pytestmark = pytest.mark.usefixtures("in_process")
REAL = Path(__file__).parents[3] / "shared" / "data" / "packages_pickles"


def by_id(arrays, field):
    return {
        name: value
        for split in arrays.splits.values()
        for name, value in zip(split.ids.tolist(), getattr(split, field), strict=True)
    }


@pytest.mark.parametrize("form", ["mixed", "list", "array", "scalars", "commas", "spaces"])
def test_rows_keep_their_embedding_and_label(tmp_path, form):
    table, _ = write_tables(tmp_path, form=form)
    arrays = read(tmp_path)
    assert arrays.classes == CLASSES
    assert arrays.n_features == WIDTH
    embeddings, labels = by_id(arrays, "embeddings"), by_id(arrays, "labels")
    expected = vectors_of(table)
    assert embeddings.keys() == expected.keys()
    for name, vector in expected.items():
        assert embeddings[name].dtype == np.float32
        np.testing.assert_array_equal(embeddings[name], vector)
    for name, industry in zip(table["id"], table["industry"], strict=True):
        known = industry in CLASSES
        assert labels[name] == (CLASSES.index(industry) if known else NO_CLASS)
        assert (name in arrays.splits["excluded"].ids) == (not known)


def test_the_split_is_stratified_seeded_and_that_of_scikit_learn(tmp_path):
    write_tables(tmp_path)
    arrays = read(tmp_path, val_split=0.25, seed=3)
    train, val, excluded = (arrays.splits[name] for name in ("train", "val", "excluded"))
    assert len(excluded) == WITHOUT_INDUSTRY
    assert len(train) + len(val) == N_ROWS - WITHOUT_INDUSTRY
    shares = np.bincount(val.labels) / (np.bincount(train.labels) + np.bincount(val.labels))
    assert abs(shares - 0.25).max() < 0.05
    assert set(train.ids) & set(val.ids) == set()
    again, other = read(tmp_path, val_split=0.25, seed=3), read(tmp_path, val_split=0.25, seed=4)
    np.testing.assert_array_equal(again.splits["val"].ids, val.ids)
    assert set(other.splits["val"].ids) != set(val.ids)
    ids = [
        name for name, industry in zip(*map(main_table().get, ("id", "industry")), strict=True) if industry in CLASSES
    ]
    labels = [industry for industry in main_table()["industry"] if industry in CLASSES]
    _, expected = train_test_split(ids, test_size=0.25, stratify=labels, random_state=3)
    assert set(val.ids) == set(expected)


def test_the_join_keeps_every_row_and_says_what_it_did(tmp_path, caplog):
    table, financials = write_tables(tmp_path)
    caplog.set_level(logging.INFO, "repviz.data")
    arrays = read(tmp_path)
    assert f"{N_ROWS} rows; {NOT_IN_FINANCIALS} of them are not in df_financials_train.pkl" in caplog.text
    assert f"{NOT_IN_MAIN} rows there belong to none here" in caplog.text
    assert f"{WITHOUT_INDUSTRY} rows have no industry" in caplog.text
    features = by_id(arrays, "tabular")
    assert set(features) == set(table["id"])
    flags = [arrays.tabular_names.index(f"{name}_missing") for name in RATIOS]
    joined = financials.set_index("id").reindex(table["id"])[list(RATIOS)]
    usable = np.isfinite(joined) & (joined != 0)
    for name, row in usable.iterrows():
        np.testing.assert_array_equal(features[name][flags], ~row)


def test_tabular_columns_are_those_of_the_recipe_fitted_on_the_training_rows(tmp_path):
    table, financials = write_tables(tmp_path)
    recipe = TabularRecipe(min_country_rows=4)
    arrays = read(tmp_path, recipe=recipe)
    joined = table[["id"]].merge(financials, on="id", how="left").set_index("id")

    def inputs(ids):
        rows = joined.loc[ids]
        countries = [None if pd.isna(code) else code for code in rows["country_code"]]
        return {name: rows[name].to_numpy() for name in RATIOS}, countries

    statistics = recipe.fit(*inputs(arrays.splits["train"].ids))
    assert arrays.recipe == statistics
    assert arrays.tabular_names == feature_names(statistics)
    for split in arrays.splits.values():
        np.testing.assert_array_equal(split.tabular, transform(*inputs(split.ids), statistics))


def test_other_rows_leak_into_no_statistic(tmp_path):
    _, financials = write_tables(tmp_path)
    before = read(tmp_path)
    others = [name for split in ("val", "excluded") for name in before.splits[split].ids]
    held_out = financials["id"].isin(others)
    assert held_out.sum() > 5
    financials.loc[held_out, list(RATIOS)] = 1e6
    financials.loc[held_out, "country_code"] = "ZZ"
    financials.to_pickle(tmp_path / "df_financials_train.pkl")
    after = read(tmp_path)
    assert after.recipe == before.recipe
    assert after.tabular_names == before.tabular_names
    np.testing.assert_array_equal(after.splits["train"].tabular, before.splits["train"].tabular)
    np.testing.assert_array_equal(after.splits["train"].ids, before.splits["train"].ids)
    assert (after.splits["val"].tabular != before.splits["val"].tabular).any()


def test_given_statistics_are_applied_and_nothing_is_fitted(tmp_path):
    _, financials = write_tables(tmp_path)
    fitted = read(tmp_path)
    same = read(tmp_path, recipe_statistics=fitted.recipe)
    assert same.fingerprint == fitted.fingerprint
    for name in fitted.splits:
        np.testing.assert_array_equal(same.splits[name].tabular, fitted.splits[name].tabular)
    financials[list(RATIOS)] = financials[list(RATIOS)] * 3
    financials.to_pickle(tmp_path / "df_financials_train.pkl")
    moved = read(tmp_path, recipe_statistics=fitted.recipe)
    assert moved.recipe == fitted.recipe
    assert read(tmp_path).recipe != fitted.recipe
    assert moved.fingerprint != fitted.fingerprint


def test_without_a_financial_table_there_are_no_tabular_columns(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "df_financials_train.pkl").unlink()
    arrays = read(tmp_path)
    assert arrays.n_tabular == 0
    assert arrays.recipe is None
    assert all(split.tabular is None for split in arrays.splits.values())


def test_the_file_itself_is_a_path_too(tmp_path):
    write_tables(tmp_path)
    folder, file = read(tmp_path), read(tmp_path / "df_train.pkl")
    assert file.fingerprint == folder.fingerprint
    assert file.source == tmp_path / "df_train.pkl"
    assert file.n_tabular == folder.n_tabular > 0
    (tmp_path / "df_train.pkl").rename(tmp_path / "rows.pkl")
    assert read(tmp_path / "rows.pkl").n_tabular == 0
    assert "financial table" in error(tmp_path / "df_financials_train.pkl")


def test_the_fingerprint_changes_with_content_and_settings(tmp_path):
    table, _ = write_tables(tmp_path)
    prints = [read(tmp_path).fingerprint, read(tmp_path, seed=1).fingerprint, read(tmp_path, val_split=0.3).fingerprint]
    prints.append(read(tmp_path, recipe=TabularRecipe(max_z=3)).fingerprint)
    table.loc[3, "industry"] = "beta"
    table.to_pickle(tmp_path / "df_train.pkl")
    prints.append(read(tmp_path).fingerprint)
    assert len(set(prints)) == len(prints)
    assert read(tmp_path).fingerprint == prints[-1]


def test_test_tables_become_the_test_split(tmp_path):
    write_tables(tmp_path)
    plain = read(tmp_path)
    table = write_test_tables(tmp_path)
    arrays = read(tmp_path)
    assert len(arrays.splits["test"]) == 20 - WITHOUT_INDUSTRY
    assert len(arrays.splits["excluded"]) == 2 * WITHOUT_INDUSTRY
    assert arrays.recipe == plain.recipe
    np.testing.assert_array_equal(arrays.splits["train"].tabular, plain.splits["train"].tabular)
    expected = vectors_of(table)
    for name, vector, label in zip(
        *(getattr(arrays.splits["test"], f) for f in ("ids", "embeddings", "labels")), strict=True
    ):
        np.testing.assert_array_equal(vector, expected[name])
        assert CLASSES[label] == table.set_index("id").loc[name, "industry"]


def test_rows_without_labels_can_be_read_to_predict(tmp_path):
    table, _ = write_tables(tmp_path)
    fitted = read(tmp_path)
    table.drop(columns="industry").to_pickle(tmp_path / "df_train.pkl")
    assert "industry: missing" in error(tmp_path)
    arrays = read(tmp_path, recipe_statistics=fitted.recipe, labels_required=False)
    assert list(arrays.splits) == ["predict"]
    assert arrays.splits["predict"].ids.tolist() == table["id"].tolist()
    assert arrays.splits["predict"].labels is None
    assert arrays.tabular_names == fitted.tabular_names
    assert read(tmp_path, labels_required=False).n_tabular == 0


def test_ids_and_classes_may_be_numbers(tmp_path):
    table, financials = write_tables(tmp_path)
    number = {name: 2**62 + row for row, name in enumerate(table["id"])}
    table["industry"] = np.arange(N_ROWS) % 2 + 7
    table["id"] = table["id"].map(number)
    financials = financials[financials["id"].isin(number)]
    financials["id"] = financials["id"].map(number).astype(str)
    table.to_pickle(tmp_path / "df_train.pkl")
    financials.to_pickle(tmp_path / "df_financials_train.pkl")
    arrays = read(tmp_path)
    assert arrays.classes == ("7", "8")
    assert "excluded" not in arrays.splits
    assert set(by_id(arrays, "labels")) == {str(n) for n in number.values()}
    flags = [arrays.tabular_names.index(f"{name}_missing") for name in RATIOS]
    unjoined = [name for name, values in by_id(arrays, "tabular").items() if values[flags].all()]
    assert sorted(unjoined) == [str(2**62 + row) for row in range(NOT_IN_FINANCIALS)]


def test_trusted_tables_give_the_same(tmp_path):
    write_tables(tmp_path)
    safe, trusted = read(tmp_path), read(tmp_path, trust_pickle=True)
    assert trusted.recipe == safe.recipe
    assert trusted.fingerprint == safe.fingerprint
    for name in safe.splits:
        for field in ("embeddings", "labels", "tabular", "ids"):
            np.testing.assert_array_equal(getattr(trusted.splits[name], field), getattr(safe.splits[name], field))


def test_a_class_with_a_single_row_is_trained_on(caplog):
    caplog.set_level(logging.INFO, "repviz.data")
    labels = np.array([0, 1, 0, 2, 1, 0, 1, NO_CLASS, 0, 1])
    for seed in range(5):
        train, val = stratified_split(labels, ("a", "b", "c"), 0.25, seed)
        assert 3 in train
        assert sorted([*train, *val]) == [0, 1, 2, 3, 4, 5, 6, 8, 9]
        assert np.bincount(labels[val]).tolist() == [1, 1]
    assert "1 classes have a single row" in caplog.text


def test_the_arrays_have_an_npz_form(tmp_path):
    write_tables(tmp_path)
    arrays = read(tmp_path)
    write_npz(arrays, tmp_path / "data.npz")
    back = read_npz(tmp_path / "data.npz")
    assert back.recipe == arrays.recipe
    assert back.tabular_names == arrays.tabular_names
    assert back.classes == arrays.classes


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real tables are not at {REAL}")
def test_the_real_tables(caplog, monkeypatch):
    monkeypatch.setattr(pickles, "read_table", read_table)
    caplog.set_level(logging.INFO, "repviz.data")
    arrays = read(REAL)
    assert {name: len(split) for name, split in arrays.splits.items()} == {"train": 1200, "val": 300}
    assert len(arrays.classes) == 20
    assert arrays.n_features == 384
    assert "1500 rows; 50 of them are not in" in caplog.text
    assert "20 rows there belong to none here" in caplog.text
    table = pd.read_pickle(REAL / "df_train.pkl")
    expected = vectors_of(table)
    for name, vector in by_id(arrays, "embeddings").items():
        np.testing.assert_array_equal(vector, expected[name])
