"""What ``repviz data inspect`` and ``repviz data convert`` say and do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from repviz.data.converting import convert
from repviz.data.inspect import summary
from repviz.data.npz import read_notes, read_npz
from repviz.errors import DataError
from tests.data.npz_samples import save, tiny_arrays


def squeezed(text: str) -> list[str]:
    """Lines with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_summary_of_the_real_data(packages):
    text = summary(packages)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    with np.load(packages) as raw:
        for label, name in enumerate(raw["classes"]):
            counts = [int((raw[key] == label).sum()) for key in ("y_train", "y_val", "y_excl")]
            share = f"{100 * counts[0] / len(raw['y_train']):.1f}"
            assert " ".join([str(label), name, *map(str, counts), share]) in squeezed(text)
        majority = np.bincount(raw["y_train"]).argmax()
        share = 100 * (raw["y_val"] == majority).mean()
        assert f"Majority class '{raw['classes'][majority]}'" in text
        assert f"{share:.1f} % of val" in text
    assert "train 3,200 384 float16 10 float32 all yes yes" in squeezed(text)
    assert "excluded 160 384 float16 10 float32 80 yes yes" in squeezed(text)
    assert "not standardized" in text
    assert "Not usable" not in text
    assert "not read" not in text


def test_summary_shows_what_is_wrong_instead_of_stopping(tmp_path):
    arrays = tiny_arrays()
    arrays["X_train_embed"][2, 1] = np.nan
    arrays["financial_val"][0] = np.inf
    arrays["y_val"] = np.array([0, 1, 2, 3])
    text = summary(save(tmp_path / "data.npz", arrays | {"finacial_test": np.ones(2)}))
    assert "X_train_embed 1 NaN and 0 infinite of 18" in squeezed(text)
    assert "financial_val 0 NaN and 2 infinite of 8" in squeezed(text)
    assert "embeddings not judged: there are NaN or inf" in squeezed(text)
    assert "'finacial_test'" in text
    assert "Not usable as it is" in text
    assert "1 NaN and 0 infinite numbers in 1 of 6 rows" in " ".join(text.split())


def test_summary_of_rows_to_predict(tmp_path):
    text = summary(save(tmp_path / "data.npz", {"X_embed": np.ones((5, 3), np.float16)}))
    assert "predict 5 3 float16 - none no no" in squeezed(text)
    assert "Classes" not in text
    assert "Scaling" not in text


def test_summary_of_many_classes_shows_the_largest_and_the_smallest(tmp_path):
    counts = np.arange(1000, 0, -1) % 997 + 1
    labels = np.repeat(np.arange(1000), counts)
    arrays = {
        "X_train_embed": np.random.default_rng(0).normal(size=(len(labels), 1)),
        "y_train": labels,
        "X_val_embed": np.ones((3, 1)),
        "y_val": np.array([0, 1, 999]),
        "classes": np.array([f"c{k}" for k in range(1000)]),
    }
    text = summary(save(tmp_path / "data.npz", arrays))
    shown = [line.split()[1] for line in text.splitlines() if line.split()[1:2] and line.split()[1].startswith("c")]
    shown = [name for name in shown if name[1:].isdigit()]
    assert len(shown) == 40
    assert "(960 classes between these)" in text
    assert {counts[int(name[1:])] for name in shown[:30]} == set(sorted(counts)[-30:])
    assert max(counts[int(name[1:])] for name in shown[30:]) <= sorted(counts)[9]


def test_summary_shows_foreign_texts_without_obeying_them(tmp_path):
    classes = np.array(["[red]bold[/red]", "a\x1b[31m\nb", "漢字 :smile:"])
    text = summary(save(tmp_path / "data.npz", tiny_arrays() | {"classes": classes}))
    assert "[red]bold[/red]" in text
    assert r"'a\x1b[31m\nb'" in text
    assert "漢字 :smile:" in text
    assert "\x1b" not in text


def test_summary_raises_where_there_is_nothing_to_show(tmp_path):
    arrays = tiny_arrays()
    del arrays["y_val"]
    with pytest.raises(DataError, match="y_val: missing"):
        summary(save(tmp_path / "data.npz", arrays))


def pickled_tables(folder: Path, **changes: list | None) -> Path:
    """Forty rows of the two tables, five of them without a margin."""
    rng = np.random.default_rng(0)
    ids = [f"company {i}" for i in range(40)]
    main = {
        "id": ids,
        "business_description_embedding": [row.tolist() for row in rng.normal(size=(40, 5))],
        "industry": ["mining", "retail"] * 20,
    } | changes
    financials = {
        "id": ids,
        "net_profit_margin": [np.nan] * 5 + [0.1 * i for i in range(1, 36)],
        "ebitda_margin": rng.gamma(2, size=40),
        "asset_turnover": rng.gamma(2, size=40),
        "country_code": ["DE", "FR"] * 20,
    }
    main = {name: column for name, column in main.items() if column is not None}
    pd.DataFrame(main).to_pickle(folder / "df_train.pkl")
    pd.DataFrame(financials).to_pickle(folder / "df_financials_train.pkl")
    return folder


def test_summary_of_pickles_counts_what_was_missing_and_writes_nothing(tmp_path):
    text = summary(pickled_tables(tmp_path))
    lines = squeezed(text)
    missing = [int(line.split()[1]) for line in lines if line.startswith("net_profit_margin ")]
    assert sum(missing) == 5
    assert "Not usable" not in text
    assert {path.name for path in tmp_path.iterdir()} == {"df_train.pkl", "df_financials_train.pkl"}


def test_summary_of_pickles_without_labels(tmp_path):
    text = summary(pickled_tables(tmp_path, industry=None))
    assert any(line.startswith("predict 40 5 float32") for line in squeezed(text))


def test_convert_of_pickles_notes_how_they_were_split(tmp_path):
    out = convert(pickled_tables(tmp_path), tmp_path / "out.npz", val_split=0.25, seed=3)
    arrays = read_npz(out)
    assert (len(arrays.splits["train"]), len(arrays.splits["val"])) == (30, 10)
    assert arrays.recipe is not None
    assert read_notes(out) | {"repviz_version": ""} == {
        "source": tmp_path.name,
        "repviz_version": "",
        "val_split": "0.25",
        "seed": "3",
    }


def test_convert_gives_the_same_data(tmp_path, packages):
    assert convert(packages, tmp_path / "out.npz") == tmp_path / "out.npz"
    before, after = read_npz(packages), read_npz(tmp_path / "out.npz")
    for name, rows in before.splits.items():
        np.testing.assert_array_equal(after.splits[name].embeddings, rows.embeddings)
        np.testing.assert_array_equal(after.splits[name].texts, rows.texts)
    assert read_notes(tmp_path / "out.npz")["source"] == "packages_small.npz"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.npz"]


def test_convert_does_not_overwrite_unless_told(tmp_path):
    source = save(tmp_path / "data.npz", tiny_arrays())
    (tmp_path / "out.npz").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        convert(source, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_text() == "mine"
    convert(source, tmp_path / "out.npz", overwrite=True)
    assert len(read_npz(tmp_path / "out.npz").splits["train"]) == 6


def test_convert_onto_itself(tmp_path):
    source = save(tmp_path / "data.npz", tiny_arrays())
    before = read_npz(source)
    convert(source, source, overwrite=True)
    np.testing.assert_array_equal(read_npz(source).splits["val"].embeddings, before.splits["val"].embeddings)


@pytest.mark.parametrize(
    ("out", "found"),
    [("out.csv", "does not end in .npz"), ("gone/out", "there is no folder"), ("gone/out.npz", "there is no folder")],
)
def test_convert_to_where_nothing_can_be(tmp_path, out, found):
    source = save(tmp_path / "data.npz", tiny_arrays())
    with pytest.raises(DataError, match=found):
        convert(source, tmp_path / out)
    assert list(tmp_path.iterdir()) == [source]


def test_convert_of_bad_data_writes_nothing(tmp_path):
    source = save(tmp_path / "data.npz", tiny_arrays() | {"y_val": np.array([0, 1, 2, 9])})
    with pytest.raises(DataError, match="y_val"):
        convert(source, tmp_path / "out.npz")
    assert list(tmp_path.iterdir()) == [source]
