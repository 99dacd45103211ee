"""What is said of bad tables: one error that names the file, the column and the rows."""

import re

import numpy as np
import pandas as pd
import pytest

from repviz.data import pickles
from repviz.errors import DataError, UserError
from tests.data.pickled_tables import EMBEDDING, N_ROWS, WIDTH, main_table, write_tables, write_test_tables
from tests.data.pickles_read import error, read

pytestmark = pytest.mark.usefixtures("in_process")


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


def test_files_that_change_meanwhile_are_an_error(tmp_path, monkeypatch):
    write_tables(tmp_path)
    original = pickles.read_table

    def slow(path, *args, **kwargs):
        table = original(path, *args, **kwargs)
        main_table(seed=8).to_pickle(tmp_path / "df_train.pkl")
        return table

    monkeypatch.setattr(pickles, "read_table", slow)
    assert "changed while it was being read" in error(tmp_path)
