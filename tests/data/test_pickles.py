"""The two-table form: join, embeddings in all their spellings, split, and what is said of bad tables."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from repviz.data import pickles
from repviz.data.arrays import NO_CLASS
from repviz.data.npz import read_npz, write_npz
from repviz.data.pickle_frames import read_frame
from repviz.data.pickle_names import RefusedPickle
from repviz.data.pickles import read_pickles
from repviz.data.splitting import stratified_split
from repviz.data.tabular import RATIOS, TabularRecipe, feature_names, transform
from repviz.data.unpickling import PickledTable, TableUnpickler, read_table
from repviz.errors import DataError, UserError
from tests.data.pickled_tables import (
    CLASSES,
    N_ROWS,
    NOT_IN_FINANCIALS,
    NOT_IN_MAIN,
    WIDTH,
    WITHOUT_INDUSTRY,
    financial_table,
    main_table,
    vectors_of,
    write_tables,
)

EMBEDDING = "business_description_embedding"
REAL = Path(__file__).parents[3] / "shared" / "data" / "packages_pickles"


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    """Spare most tables the child process; what it would refuse still goes there, for its error."""

    def read_here(path, wanted, *, trust_pickle=False):
        try:
            if trust_pickle:
                raise RefusedPickle
            with path.open("rb") as file:
                names, columns = read_frame(TableUnpickler(file).load(), wanted)
        except RefusedPickle:
            return read_table(path, wanted, trust_pickle=trust_pickle)
        return PickledTable(tuple(names), columns)

    monkeypatch.setattr(pickles, "read_table", read_here)


def read(folder, **settings):
    return read_pickles(folder, cache=False, **settings)


def by_id(arrays, field):
    return {
        name: value
        for split in arrays.splits.values()
        for name, value in zip(split.ids.tolist(), getattr(split, field), strict=True)
    }


def error(folder, **settings):
    with pytest.raises(DataError) as caught:
        read(folder, **settings)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert message.count("\n") <= 2
    assert "trust_pickle" not in message
    return message


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


def write_test_tables(folder):
    table = main_table(seed=9, n=20)
    table["id"] = "t" + table["id"]
    financials = financial_table(table["id"].tolist(), seed=5)
    table.to_pickle(folder / "df_test.pkl")
    financials.to_pickle(folder / "df_financials_test.pkl")
    return table


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


def test_bad_test_tables(tmp_path):
    write_tables(tmp_path)
    table = write_test_tables(tmp_path)
    (tmp_path / "df_financials_test.pkl").rename(tmp_path / "away.pkl")
    assert "df_financials_test.pkl: no such file" in error(tmp_path)
    (tmp_path / "away.pkl").rename(tmp_path / "df_financials_test.pkl")
    table.assign(industry="delta").to_pickle(tmp_path / "df_test.pkl")
    assert "'delta'" in error(tmp_path)
    table.drop(columns="industry").to_pickle(tmp_path / "df_test.pkl")
    assert "df_test.pkl: industry: missing" in error(tmp_path)
    table.assign(id=main_table()["id"][:20].tolist()).to_pickle(tmp_path / "df_test.pkl")
    assert "20 ids are also in df_train.pkl" in error(tmp_path)
    table.assign(**{EMBEDDING: [[1.0, 2.0]] * 20}).to_pickle(tmp_path / "df_test.pkl")
    assert f"vectors of 2 numbers\n  expected: {WIDTH}" in error(tmp_path)


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


def break_main(change):
    def write(folder):
        table, _ = write_tables(folder)
        change(table).to_pickle(folder / "df_train.pkl")

    return write


def cell(column, value, rows=(3, 7)):
    def change(table):
        values = table[column].tolist()
        for row in rows:
            values[row] = value
        return table.assign(**{column: values})

    return break_main(change)


def break_financials(change):
    def write(folder):
        _, financials = write_tables(folder)
        change(financials).to_pickle(folder / "df_financials_train.pkl")

    return write


MAIN_IDS = main_table()["id"].tolist()
BAD = {
    "no industry column": (break_main(lambda t: t.drop(columns="industry")), "industry: missing"),
    "no id column": (break_main(lambda t: t.rename(columns={"id": "ID"})), r"id: missing; .*'ID'"),
    "no embedding column": (break_main(lambda t: t.drop(columns=EMBEDDING)), f"{EMBEDDING}: missing"),
    "two columns of one name": (break_main(lambda t: pd.concat([t, t[["id"]]], axis=1)), "2 columns named 'id'"),
    "no rows": (break_main(lambda t: t.iloc[:0]), "no rows"),
    "missing ids": (cell("id", None), r"2 of 60 are not ids: missing \(row 3\), missing \(row 7\)"),
    "ids of floats": (cell("id", 1.5, [4]), r"1\.5 \(row 4\)"),
    "double ids": (cell("id", "same"), "1 ids come more than once: 'same'"),
    "missing embeddings": (cell(EMBEDDING, None), f"2 of 60 are not vectors.*missing .id '{MAIN_IDS[3]}'"),
    "unparsable text": (cell(EMBEDDING, "[0.1, x]"), f"not vectors.*x.*{MAIN_IDS[7]}"),
    "half a text": (cell(EMBEDDING, "[0.1, 0.2"), "not vectors"),
    "underscores": (cell(EMBEDDING, "[1_0, 2, 3, 4, 5, 6]"), "not vectors"),
    "shortened text": (cell(EMBEDDING, "[0.1 0.2 ... 0.3]"), "tolist"),
    "numpy names in text": (cell(EMBEDDING, "[np.float32(0.1), np.float32(0.2)]"), "not vectors"),
    "list with None": (cell(EMBEDDING, [1.0, None]), "a list that holds NoneType"),
    "list of texts": (cell(EMBEDDING, ["1.0", "2.0"]), "a list that holds str"),
    "array of two axes": (cell(EMBEDDING, np.ones((1, WIDTH))), r"an array of shape \(1, 6\)"),
    "a number": (cell(EMBEDDING, 3.5), "not vectors"),
    "two lengths": (
        cell(EMBEDDING, [1.0, 2.0]),
        rf"2 lengths: 6 in 58 rows, 2 in 2 rows; ids '{MAIN_IDS[3]}' \(2\), '{MAIN_IDS[7]}'",
    ),
    "text of another length": (cell(EMBEDDING, "[1.0]"), "2 lengths: 6 in 58 rows, 1 in 2 rows"),
    "empty vectors": (cell(EMBEDDING, [], range(N_ROWS)), "without numbers"),
    "nan": (
        cell(EMBEDDING, [1.0, float("nan"), 2.0, float("nan"), 1.0, float("inf")]),
        f"4 NaN and 2 infinite numbers in 2 of 60 rows: ids '{MAIN_IDS[3]}', '{MAIN_IDS[7]}'",
    ),
    "nan in text": (cell(EMBEDDING, "[1, nan, 2, 3, 4, -inf]"), "2 NaN and 2 infinite"),
    "beyond float32": (cell(EMBEDDING, [1e300] * WIDTH, [0]), "0 NaN and 6 infinite numbers in 1 of 60"),
    "industry of lists": (cell("industry", [1.0]), "2 of 60 entries are not names: a vector"),
    "one class": (break_main(lambda t: t.assign(industry="only")), "1 classes"),
    "no class": (break_main(lambda t: t.assign(industry=None)), "no class in any row"),
    "ratio of texts": (
        break_financials(lambda t: t.assign(ebitda_margin=["n/a"] * len(t))),
        "ebitda_margin: 58 of 58 entries are not numbers: 'n/a'",
    ),
    "no ratio": (break_financials(lambda t: t.drop(columns="asset_turnover")), "asset_turnover: missing"),
    "no country": (break_financials(lambda t: t.drop(columns="country_code")), "country_code: missing"),
    "double financials": (break_financials(lambda t: pd.concat([t, t.iloc[:2]])), "2 ids come more than once"),
    "missing financial ids": (break_financials(lambda t: t.assign(id=[None, *t["id"][1:]])), "1 of 58 are not ids"),
    "country of vectors": (
        break_financials(lambda t: t.assign(country_code=[[1, 2]] * len(t))),
        "country_code: 58 of 58 entries are not names",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_one_error(tmp_path, name):
    write, words = BAD[name]
    write(tmp_path)
    message = error(tmp_path)
    assert re.search(words, message.replace("\n", " ")), message
    assert "df_" in message


def test_missing_files_and_wrong_settings(tmp_path):
    assert "df_train.pkl: no such file" in error(tmp_path)
    assert "no such file" in error(tmp_path / "other.pkl")
    write_tables(tmp_path)
    for settings in ({"val_split": 0.0}, {"val_split": 1.0}, {"seed": -1}, {"val_split": 0.01}, {"val_split": 0.99}):
        with pytest.raises(UserError, match=str(next(iter(settings)))):
            read(tmp_path, **settings)


def test_hostile_tables_are_refused_with_the_name_they_asked_for(tmp_path):
    (tmp_path / "df_train.pkl").write_bytes(b"\x80\x04cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with pytest.raises(DataError, match=r"os\.system"):
        read(tmp_path)


def test_trusted_tables_give_the_same(tmp_path):
    write_tables(tmp_path)
    safe, trusted = read(tmp_path), read(tmp_path, trust_pickle=True)
    assert trusted.recipe == safe.recipe
    assert trusted.fingerprint == safe.fingerprint
    for name in safe.splits:
        for field in ("embeddings", "labels", "tabular", "ids"):
            np.testing.assert_array_equal(getattr(trusted.splits[name], field), getattr(safe.splits[name], field))


def test_files_that_change_meanwhile_are_an_error(tmp_path, monkeypatch):
    write_tables(tmp_path)
    original = pickles.read_table

    def slow(path, *args, **kwargs):
        table = original(path, *args, **kwargs)
        main_table(seed=8).to_pickle(tmp_path / "df_train.pkl")
        return table

    monkeypatch.setattr(pickles, "read_table", slow)
    assert "changed while it was being read" in error(tmp_path)


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
