"""What data must be like to train on, checked once, whichever form it came in.

Errors name an array as the user's file does: ``Names`` maps ``(split, field)`` to that name. Two names belong to no
split: ``("", "classes")`` and ``("", "tabular_names")``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from repviz.data.arrays import NO_CLASS, Arrays, Split
from repviz.data.keys import FIELDS, NPZ_KEYS, Names, default_tabular_names, name_of
from repviz.data.messages import data_error, listed, quoted
from repviz.data.stored import Matrix, NumberedIds, Texts, spans, with_columns

Shapes = Mapping[tuple[str, str], tuple[tuple[int, ...], np.dtype]]

_KINDS = {
    "embeddings": ("f", "floating point numbers (float16, float32 or float64)"),
    "labels": ("iu", "integers: positions in classes, counted from 0"),
    "tabular": ("fiub", "numbers"),
    "ids": ("iuUSO", "texts or integers"),
    "texts": ("USO", "texts"),
    "classes": ("iuUSO", "texts or integers"),
    "tabular_names": ("USO", "texts"),
}
_MATRICES = ("embeddings", "tabular")
_CHUNK = 1 << 22
"""Numbers looked at together, to bound memory."""


def check(arrays: Arrays, names: Names = NPZ_KEYS) -> None:
    """Raise one error about the first thing that is wrong with ``arrays``.

    Args:
        arrays: the data.
        names: what the user's file calls each array.

    Raises:
        DataError: says which file, which key, what was found and what is expected.
    """
    source = arrays.source
    shapes = {("", "classes"): ((len(arrays.classes),), np.dtype("U1"))}
    for split, rows in arrays.splits.items():
        for field in FIELDS:
            array = getattr(rows, field)
            if array is not None:
                is_text = field in ("ids", "texts")  # which may be on the disk, and become texts when they are read
                shapes[split, field] = ((len(array),), np.dtype("U1")) if is_text else (array.shape, array.dtype)
    if arrays.tabular_names:
        shapes["", "tabular_names"] = ((len(arrays.tabular_names),), np.dtype("U1"))
    check_shapes(shapes, source, names)
    for field in ("classes", "tabular_names"):
        _check_distinct(getattr(arrays, field), source, name_of(names, "", field))
    for split, rows in arrays.splits.items():
        for field in _MATRICES:
            _check_finite(getattr(rows, field), source, name_of(names, split, field))
        if rows.labels is not None:
            _check_labels(split, rows.labels, arrays.classes, source, names)
    _check_ids(arrays.splits, source, names)


def check_shapes(found: Shapes, source: Path, names: Names = NPZ_KEYS) -> None:
    """Check dtypes, ranks, lengths and widths alone, so that a file's headers can be checked before its data.

    Args:
        found: shape and dtype of every array that is there.
        source: the file, for the message.
        names: what the user's file calls each array.

    Raises:
        DataError: an array does not have the shape that the others ask for.
    """
    for (split, field), (shape, dtype) in found.items():
        kinds, words = _KINDS[field]
        key = name_of(names, split, field)
        rank = 2 if field in _MATRICES else 1
        if len(shape) != rank:
            wanted = "shape (rows, columns)" if rank == 2 else "one dimension"
            raise data_error(source, key, f"shape {shape}", wanted)
        if dtype.kind not in kinds:
            raise data_error(source, key, f"dtype {dtype}", words)
    splits = [split for split, field in found if field == "embeddings"]
    if "train" in splits:
        for split, field in (("val", "embeddings"), ("train", "labels"), ("val", "labels")):
            if (split, field) not in found:
                raise data_error(source, name_of(names, split, field), "missing", "there beside the training rows")
    for split in splits:
        _check_rows(split, found, source, names)
    for field in _MATRICES:
        _check_widths(field, splits, found, source, names)
    _check_tabular_names(found, source, names)


def matched_to_training(
    arrays: Arrays,
    *,
    classes: tuple[str, ...],
    n_features: int,
    tabular_names: tuple[str, ...] | None,
    names: Names = NPZ_KEYS,
) -> Arrays:
    """The same rows with labels and tabular columns in the order that the model knows.

    Classes and tabular columns are matched by name; unnamed tabular columns by their number.

    Args:
        arrays: the new data, checked.
        classes: the model's classes.
        n_features: width of the embeddings that the model takes.
        tabular_names: the tabular columns that the model takes, () for none; None leaves them as they are.
        names: what the user's file calls each array.

    Raises:
        DataError: the model cannot take these embeddings, classes or tabular columns.
    """
    if arrays.n_features != n_features:
        key = name_of(names, next(iter(arrays.splits)), "embeddings")
        found = f"{arrays.n_features} columns"
        raise data_error(arrays.source, key, found, f"{n_features}, as in the data the model was trained on")
    position = _class_positions(arrays, classes, names)
    columns = None if tabular_names is None else _column_positions(arrays, tabular_names, names)
    return replace(
        arrays,
        splits={name: _matched(rows, position, columns) for name, rows in arrays.splits.items()},
        classes=classes,
        tabular_names=arrays.tabular_names if tabular_names is None else tabular_names,
    )


def _check_rows(split: str, found: Shapes, source: Path, names: Names) -> None:
    """Every array of a split has as many rows as its embeddings; only the excluded rows may be none at all."""
    key = name_of(names, split, "embeddings")
    shape = found[split, "embeddings"][0]
    if shape[1] == 0 or (shape[0] == 0 and split != "excluded"):
        raise data_error(source, key, f"shape {shape}", "at least one row and one column")
    for field in FIELDS[1:]:
        if (split, field) in found and found[split, field][0][0] != shape[0]:
            n_rows = found[split, field][0][0]
            expected = f"{shape[0]}, one for each row of {key}"
            raise data_error(source, name_of(names, split, field), f"{n_rows} rows", expected)
    if split in ("train", "val", "test") and (split, "labels") in found:
        n_classes = found.get(("", "classes"), ((0,), None))[0][0]
        if n_classes < 2:
            raise data_error(source, name_of(names, "", "classes"), f"{n_classes} classes", "at least two classes")


def _check_widths(field: str, splits: list[str], found: Shapes, source: Path, names: Names) -> None:
    """An array that one split has, every split has, with the same number of columns."""
    having = [split for split in splits if (split, field) in found]
    if not having:
        return
    reference = name_of(names, having[0], field)
    width = found[having[0], field][0][1]
    for split in splits:
        key = name_of(names, split, field)
        if (split, field) not in found:
            n_rows = found[split, "embeddings"][0][0]
            expected = f"shape ({n_rows}, {width}), as {reference} has {width} columns"
            raise data_error(source, key, "missing", expected)
        shape = found[split, field][0]
        if shape[1] != width or width == 0:
            expected = "at least one column" if width == 0 else f"{width} columns, as in {reference}"
            raise data_error(source, key, f"{shape[1]} columns", expected)


def _check_tabular_names(found: Shapes, source: Path, names: Names) -> None:
    if ("", "tabular_names") not in found:
        return
    n_names = found["", "tabular_names"][0][0]
    split, width = next(((s, shape[1]) for (s, field), (shape, _) in found.items() if field == "tabular"), ("", 0))
    if n_names != width:
        of = f"of {name_of(names, split, 'tabular')}" if split else "(there are no tabular arrays)"
        expected = f"{width}, one for each column {of}"
        raise data_error(source, name_of(names, "", "tabular_names"), f"{n_names} names", expected)


def _check_distinct(values: Iterable[str], source: Path, key: str) -> None:
    twice = [quoted(value) for value, count in Counter(values).items() if count > 1]
    if twice:
        raise data_error(source, key, f"{listed(twice)} more than once", "every name once")


def count_missing(array: Matrix) -> tuple[int, int]:
    """How many numbers of ``(n, n_columns)`` are NaN, and how many infinite."""
    n_nan = n_infinite = 0
    for _, part in _chunks(array):
        nan, infinite = np.isnan(part).sum(), np.isinf(part).sum()
        n_nan, n_infinite = n_nan + int(nan), n_infinite + int(infinite)
    return n_nan, n_infinite


def _check_finite(array: Matrix | None, source: Path, key: str) -> None:
    if array is None or not any(counts := count_missing(array)):
        return
    rows = [start + row for start, part in _chunks(array) for row in np.flatnonzero(~np.isfinite(part).all(axis=1))]
    found = f"{counts[0]} NaN and {counts[1]} infinite numbers in {len(rows)} of {len(array)} rows"
    expected = "numbers that are finite as float32; fill or leave out those rows (counted from 0)"
    raise data_error(source, key, f"{found}: row {listed(rows)}", expected)


def _check_labels(split: str, labels: np.ndarray, classes: tuple[str, ...], source: Path, names: Names) -> None:
    key = name_of(names, split, "labels")
    no_class = NO_CLASS if split in ("excluded", "predict") else 0
    bad = np.flatnonzero((labels < no_class) | (labels >= len(classes)))
    if len(bad):
        examples = listed(f"{labels[row]} (row {row})" for row in bad[:4])
        found = f"{len(bad)} of {len(labels)} labels are outside the {len(classes)} classes: {examples}"
        expected = f"0 to {len(classes) - 1}, positions in {name_of(names, '', 'classes')} counted from 0"
        if no_class == NO_CLASS:
            expected += f", or {NO_CLASS} for none of them"
        elif (labels == NO_CLASS).any():
            expected += f"; rows of no class go to {name_of(names, 'excluded', 'embeddings')}"
        raise data_error(source, key, found, expected)
    if split == "train" and (labels == labels[0]).all():
        found = f"all {len(labels)} rows are of class {quoted(classes[labels[0]])}"
        raise data_error(source, key, found, "rows of at least two classes")


def _check_ids(splits: Mapping[str, Split], source: Path, names: Names) -> None:
    """Ids are unique over all splits: points are followed by their id, and a row in two splits is a leak."""
    if all(isinstance(rows.ids, NumberedIds) for rows in splits.values()):
        return
    hashes = {split: _hashes(rows.ids) for split, rows in splits.items()}
    ordered = np.sort(np.concatenate(list(hashes.values())))
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    seen: dict[str, str] = {}
    for split, rows in splits.items():
        key = name_of(names, split, "ids")
        alike = np.flatnonzero(np.isin(hashes[split], again))  # equal ids, and perhaps others of an equal hash
        twice = []
        for row, value in zip(alike.tolist(), rows.ids[alike].tolist(), strict=True):
            if value in seen:
                twice.append(f"{quoted(value)} (row {row}, and {seen[value]})")
            seen.setdefault(value, f"{key} row {row}")
        if twice:
            found = f"{len(twice)} ids come again: {listed(twice, 3)}"
            raise data_error(source, key, found, "every id once, over all splits")


def _hashes(ids: Texts) -> np.ndarray:
    """``(n,)`` uint64: equal for equal ids, whatever the width of their array."""
    found = [np.empty(0, np.uint64)]
    for rows in spans(ids):
        codes = np.ascontiguousarray(ids[rows])
        codes = codes.view(np.uint32).reshape(len(codes), codes.dtype.itemsize // 4)
        factors = np.random.default_rng(0).integers(0, 1 << 63, codes.shape[1], np.uint64, endpoint=True) | np.uint64(1)
        mixed = np.zeros(len(codes), np.uint64)
        for column, factor in zip(codes.T, factors, strict=True):
            mixed += (column + np.uint64(1)) * factor * (column != 0)
        found.append(mixed ^ (mixed >> np.uint64(32)))
    return np.concatenate(found)


def _chunks(array: Matrix) -> Iterator[tuple[int, np.ndarray]]:
    step = max(1, _CHUNK // max(1, array.shape[1]))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]


def _class_positions(arrays: Arrays, classes: tuple[str, ...], names: Names) -> np.ndarray:
    """``(n_classes + 1,)`` int64: the model's label of each of the data's; the last is ``NO_CLASS`` itself."""
    unknown = [quoted(name) for name in arrays.classes if name not in classes]
    if unknown:
        found = f"{len(unknown)} classes that the model does not know: {listed(unknown)}"
        expected = f"classes of the training data: {listed(map(quoted, classes))}"
        raise data_error(arrays.source, name_of(names, "", "classes"), found, expected)
    place = {name: label for label, name in enumerate(classes)}
    return np.array([*(place[name] for name in arrays.classes), NO_CLASS], dtype=np.int64)


def _column_positions(arrays: Arrays, wanted: tuple[str, ...], names: Names) -> Sequence[int]:
    found = arrays.tabular_names
    key = name_of(names, next(iter(arrays.splits)), "tabular")
    if wanted and not found:
        expected = f"{len(wanted)} columns, as in the data the model was trained on"
        raise data_error(arrays.source, key, "missing", expected)
    if not wanted or set(wanted) <= set(found):
        return [found.index(name) for name in wanted]
    if len(found) == len(wanted) and default_tabular_names(len(found)) in (found, wanted):
        return range(len(wanted))
    lacking = [quoted(name) for name in wanted if name not in found]
    expected = f"the {len(wanted)} columns of the training data; missing: {listed(lacking)}"
    raise data_error(arrays.source, key, f"{len(found)} columns: {listed(map(quoted, found))}", expected)


def _matched(rows: Split, position: np.ndarray, columns: Sequence[int] | None) -> Split:
    labels = None if rows.labels is None else position[rows.labels]
    if columns is None or rows.tabular is None:
        return replace(rows, labels=labels)
    in_order = list(columns) == list(range(rows.tabular.shape[1]))
    tabular = rows.tabular if in_order else with_columns(rows.tabular, columns)
    return replace(rows, labels=labels, tabular=tabular if len(columns) else None)
