"""The two-table form of the data: ``df_train.pkl``, joined on ``id`` with ``df_financials_train.pkl``."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from repviz.data.arrays import NO_CLASS, Arrays, Split
from repviz.data.cache import CACHE_NAME, cached, digest_of, file_digests
from repviz.data.checks import check
from repviz.data.messages import data_error, listed, quoted
from repviz.data.pickled_columns import (
    EMBEDDING,
    ID,
    INDUSTRY,
    countries_of,
    embeddings_of,
    ids_of,
    industries_of,
    numbers_of,
)
from repviz.data.splitting import stratified_split
from repviz.data.tabular import COUNTRY, RATIOS, RECIPE_VERSION, TabularRecipe, feature_names, transform
from repviz.data.unpickling import read_table
from repviz.errors import UserError

log = logging.getLogger("repviz.data")

TRAIN_NAME = "df_train.pkl"
_FORM_VERSION = 1
"""Grows with every change of what is made of the same tables and the same tabular recipe."""
_Files = Mapping[str, tuple[Path, Path | None]]
"""The main and the financial table, by the split that they are for."""
PICKLE_KEYS = {
    **{(split, "embeddings"): EMBEDDING for split in ("train", "val", "excluded", "test", "predict")},
    **{(split, "labels"): INDUSTRY for split in ("train", "val", "excluded", "test")},
    **{(split, "ids"): ID for split in ("train", "val", "excluded", "test", "predict")},
    ("", "classes"): INDUSTRY,
}


@dataclass(frozen=True, eq=False)
class _Table:
    """A main table with the financial columns joined to its rows; the attributes are arrays or lists of its rows."""

    ids: list[str]
    embeddings: np.ndarray
    industries: list[str | None] | None
    ratios: dict[str, np.ndarray] | None
    countries: list[str | None]

    def __add__(self, other: "_Table") -> "_Table":
        """Both tables' rows; the other has the columns that this one has."""
        return _Table(
            ids=self.ids + other.ids,
            embeddings=np.concatenate([self.embeddings, other.embeddings]),
            industries=None if self.industries is None else self.industries + other.industries,
            ratios=self.ratios and {name: np.append(self.ratios[name], other.ratios[name]) for name in RATIOS},
            countries=self.countries + other.countries,
        )


def read_pickles(
    path: str | Path,
    *,
    val_split: float = 0.2,
    seed: int = 0,
    trust_pickle: bool = False,
    cache: bool = True,
    recipe_statistics: Mapping[str, Any] | None = None,
    recipe: TabularRecipe | None = None,
    labels_required: bool = True,
) -> Arrays:
    """Read pickled tables, split them (stratified by class), and make their tabular columns.

    Rows without an industry become the split ``excluded``, without a class. A class with a single row is trained on.
    ``df_test.pkl`` beside ``df_train.pkl`` becomes the split ``test``.

    Args:
        path: a folder with ``df_train.pkl``, or the file itself; ``df_financials_train.pkl`` is looked for beside it.
        val_split: share of the labelled rows that validate, between 0 and 1.
        seed: of the split.
        trust_pickle: read with ``pandas.read_pickle``, which runs whatever code is in the files.
        cache: keep the result as ``cached_dataset.npz`` beside the tables, and use it while nothing has changed.
        recipe_statistics: statistics of the tabular recipe to apply, as a checkpoint has them; nothing is fitted then.
        recipe: settings of the tabular recipe.
        labels_required: whether a table without the column industry is an error; else its rows become ``predict``.

    Raises:
        DataError: a file is not the pickle of such a table, or its content is not as it must be.
        UserError: a setting is out of its range.
    """
    if not 0 < val_split < 1:
        raise UserError(f"val_split is {val_split}; it takes a share between 0 and 1")
    if not 0 <= seed < 2**32:
        raise UserError(f"seed is {seed}; it takes 0 to {2**32 - 1}")
    path, recipe = Path(path), recipe or TabularRecipe()
    files = _find_files(path)
    digests = file_digests(_inputs(files))
    settings = {"val_split": val_split, "seed": seed, "recipe": asdict(recipe)}
    versions = {"recipe_version": RECIPE_VERSION, "form_version": _FORM_VERSION}
    key = digest_of({"files": digests, **settings, **versions})

    def build() -> Arrays:
        tables = _read_tables(files, digests, trust_pickle, labels_required)
        splits = _splits(files, tables, val_split, seed)
        return _arrays(path, tables, splits, recipe, recipe_statistics)

    if cache and recipe_statistics is None and labels_required:
        arrays = cached(files["train"][0].parent / CACHE_NAME, key, sorted(digests), build)
    else:
        arrays = build()
    # Equal for statistics that were fitted and for the same ones out of a checkpoint.
    ids = {name: split.ids.tolist() for name, split in arrays.splits.items()}
    return replace(arrays, source=path, fingerprint=digest_of({"key": key, "recipe": arrays.recipe, "ids": ids}))


def _inputs(files: _Files) -> list[Path]:
    return [file for pair in files.values() for file in pair if file is not None]


def _find_files(path: Path) -> _Files:
    """The main and the financial table of the splits that are there."""
    main = path / TRAIN_NAME if path.is_dir() else path
    if not main.is_file():
        raise data_error(main, "", "no such file", f"a folder with {TRAIN_NAME}, or a .pkl file")
    if main.name.startswith("df_financials"):
        raise data_error(main, "", "is a financial table", f"the table it belongs to, such as {TRAIN_NAME}")
    financials = main.parent / main.name.replace("df_", "df_financials_", 1)
    known = main.name.startswith("df_") and financials.is_file()
    files = {"train": (main, financials if known else None)}
    test, test_financials = main.parent / "df_test.pkl", main.parent / "df_financials_test.pkl"
    if main.name == TRAIN_NAME and test.is_file():
        if known and not test_financials.is_file():
            raise data_error(test_financials, "", "no such file", f"there, as {financials.name} is; or no {test.name}")
        files["test"] = (test, test_financials if known else None)
    return files


def _read_tables(files: _Files, digests: Mapping[str, str], trust_pickle: bool, labels: bool) -> dict[str, _Table]:
    """Read the tables that have these digests."""
    tables = {name: _read_joined(*pair, trust_pickle=trust_pickle) for name, pair in files.items()}
    if file_digests(_inputs(files)) != digests:
        folder = files["train"][0].parent
        raise data_error(folder, "", "changed while it was being read", "files that nothing writes to meanwhile")
    _check_alike(files, tables, labels)
    return tables


def _read_joined(main: Path, financials: Path | None, *, trust_pickle: bool) -> _Table:
    """Read a main table and join the financial one to its rows."""
    columns = _read(main, (ID, EMBEDDING), (INDUSTRY,), trust_pickle)
    ids = ids_of(columns[ID], main)
    table = _Table(
        ids=ids,
        embeddings=embeddings_of(columns[EMBEDDING], ids, main),
        industries=industries_of(columns[INDUSTRY], ids, main) if INDUSTRY in columns else None,
        ratios=None,
        countries=[],
    )
    if financials is None:
        log.info("%s: %d rows, without a financial table", main.name, len(ids))
        return table
    columns = _read(financials, (ID, *RATIOS, COUNTRY), (), trust_pickle)
    their_ids = ids_of(columns[ID], financials)
    position = {name: row for row, name in enumerate(their_ids)}
    ratios = {name: numbers_of(columns[name], their_ids, financials, name) for name in RATIOS}
    countries = [*countries_of(columns[COUNTRY], their_ids, financials, COUNTRY), None]
    rows = np.array([position.get(name, -1) for name in ids])  # -1: the missing value at the end
    log.info(
        "%s: %d rows; %d of them are not in %s (kept, their tabular values are missing), "
        "%d rows there belong to none here (dropped)",
        *(main.name, len(ids), int((rows < 0).sum()), financials.name, len(their_ids) - int((rows >= 0).sum())),
    )
    ratios = {name: np.append(values, np.nan)[rows] for name, values in ratios.items()}
    return replace(table, ratios=ratios, countries=[countries[row] for row in rows])


def _read(path: Path, required: Sequence[str], optional: Sequence[str], trust_pickle: bool) -> dict[str, list]:
    table = read_table(path, [*required, *optional], trust_pickle=trust_pickle)
    for name in required:
        if name not in table.columns:
            found = f"missing; the table has the columns {listed(map(quoted, table.names), 10) or 'of no name'}"
            raise data_error(path, name, found, f"the columns {', '.join([*required, *optional])}")
    return table.columns


def _check_alike(files: _Files, tables: Mapping[str, _Table], labels: bool) -> None:
    """The main table has labels where they are needed, and the test table what the main one has."""
    main, test = tables["train"], tables.get("test")
    if main.industries is None and labels:
        raise data_error(files["train"][0], INDUSTRY, "missing", f"the columns {ID}, {EMBEDDING}, {INDUSTRY}")
    if test is None:
        return
    path = files["test"][0]
    if (main.industries is None) != (test.industries is None):
        found = "missing" if test.industries is None else "there"
        raise data_error(path, INDUSTRY, found, f"the columns that {files['train'][0].name} has")
    if test.embeddings.shape[1] != main.embeddings.shape[1]:
        expected = f"{main.embeddings.shape[1]}, as in {files['train'][0].name}"
        raise data_error(path, EMBEDDING, f"vectors of {test.embeddings.shape[1]} numbers", expected)
    shared = sorted(set(main.ids) & set(test.ids))
    if shared:
        found = f"{len(shared)} ids are also in {files['train'][0].name}: {listed(map(quoted, shared))}"
        raise data_error(path, ID, found, "rows to test on that are not trained on")
    unknown = sorted({name for name in test.industries or () if name is not None} - set(_classes(main)))
    if unknown:
        found = f"{len(unknown)} classes that no training row has: {listed(map(quoted, unknown))}"
        raise data_error(path, INDUSTRY, found, f"classes of {files['train'][0].name}")


def _splits(files: _Files, tables: Mapping[str, _Table], val_split: float, seed: int) -> dict[str, np.ndarray]:
    """Positions of each split's rows, counted through the main table and on through the test table."""
    n_main = len(tables["train"].ids)
    if tables["train"].industries is None:
        return {"predict": np.arange(n_main + (len(tables["test"].ids) if "test" in tables else 0))}
    classes = _classes(tables["train"])
    if len(classes) < 2:
        found = f"{len(classes)} classes ({listed(map(quoted, classes))})" if classes else "no class in any row"
        raise data_error(files["train"][0], INDUSTRY, found, "at least two classes")
    main = _labels(tables["train"], classes)
    test = _labels(tables["test"], classes) if "test" in tables else np.empty(0, dtype=np.int64)
    train, val = stratified_split(main, classes, val_split, seed)
    splits = {"train": train, "val": val}
    excluded = np.flatnonzero(np.append(main, test) == NO_CLASS)
    if len(excluded):
        log.info("%d rows have no industry: they are excluded from training, without a class", len(excluded))
        splits["excluded"] = excluded
    if "test" in tables:
        splits["test"] = n_main + np.flatnonzero(test != NO_CLASS)
    return splits


def _classes(table: _Table) -> tuple[str, ...]:
    return tuple(sorted({name for name in table.industries or () if name is not None}))


def _labels(table: _Table, classes: tuple[str, ...]) -> np.ndarray:
    position = {name: label for label, name in enumerate(classes)}
    return np.array([position.get(name, NO_CLASS) for name in table.industries], dtype=np.int64)


def _financials(table: _Table, rows: np.ndarray) -> tuple[dict[str, np.ndarray], list[str | None]]:
    """The ratios and countries of some rows."""
    return {name: values[rows] for name, values in table.ratios.items()}, [table.countries[row] for row in rows]


def _arrays(
    path: Path,
    tables: Mapping[str, _Table],
    splits: Mapping[str, np.ndarray],
    recipe: TabularRecipe,
    statistics: Mapping[str, Any] | None,
) -> Arrays:
    """Take the splits out of the tables, with the tabular columns that given or fitted statistics make."""
    classes = _classes(tables["train"])
    table = tables["train"] + tables["test"] if "test" in tables else tables["train"]
    tabular = None
    if table.ratios is not None and statistics is None and "train" in splits:
        statistics = recipe.fit(*_financials(table, splits["train"]))
    if table.ratios is not None and statistics is not None:
        tabular = transform(table.ratios, table.countries, statistics)
    labels = None if table.industries is None else _labels(table, classes)
    ids = np.array(table.ids, dtype=str)
    arrays = Arrays(
        splits={
            name: Split(
                embeddings=table.embeddings[rows],
                labels=None if labels is None else labels[rows],
                tabular=None if tabular is None else tabular[rows],
                ids=ids[rows],
            )
            for name, rows in splits.items()
        },
        classes=classes,
        tabular_names=() if tabular is None else feature_names(statistics),
        source=path,
        fingerprint="",
        recipe=None if tabular is None else statistics,
    )
    check(arrays, PICKLE_KEYS)
    return arrays
