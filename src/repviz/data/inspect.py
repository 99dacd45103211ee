"""A look at data from the command line: what is in it."""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from repviz.data.arrays import Arrays
from repviz.data.checks import check, count_missing
from repviz.data.keys import NPZ_KEYS
from repviz.data.messages import listed, quoted, sized
from repviz.data.npz import load_npz, stored_dtypes, unused_keys
from repviz.data.reading import form_of, read
from repviz.data.scaling import fit_scaling
from repviz.data.stored import spans
from repviz.errors import DataError

_MAX_CLASSES = 40
"""With more classes, only the largest and the smallest are listed."""
_INDENT = (0, 0, 0, 2)


def summary(
    path: str | Path, *, val_split: float = 0.2, seed: int = 0, trust_pickle: bool = False, width: int = 80
) -> str:
    """A readable account of the data at ``path``: shapes, classes, scaling, missing values and what is wrong.

    Values that training would refuse are reported at the end instead of raised.

    Args:
        path: an .npz file, a folder of arrays, a .pkl file, or a folder with the pickled tables.
        val_split: pickles: share of the rows that validate.
        seed: pickles: of the split.
        trust_pickle: pickles: read without the safe reader.
        width: characters of a line.

    Raises:
        DataError: the data cannot be read, or its arrays do not fit together.
    """
    path = Path(path).expanduser()
    form = form_of(path)
    by_key = form != "pickles"
    if by_key:
        arrays = load_npz(path, stored="always" if form == "arrays" else "never")
    else:
        options = {"val_split": val_split, "seed": seed, "trust_pickle": trust_pickle}
        arrays = read(path, purpose="predict", cache=False, **options)  # tables without labels are welcome
    dtypes = stored_dtypes(path) if by_key else {}
    console = Console(file=StringIO(), width=width, color_system=None, highlight=False, emoji=False)
    files = [path] if path.is_file() else path.glob("*.npy") if by_key else []
    n_bytes = sum(file.stat().st_size for file in files)
    size = f"{sized(n_bytes)}, " if n_bytes else ""
    console.print(Text(f"{path}\n{size}{len(arrays.classes)} classes, fingerprint {arrays.fingerprint[:12]}"))
    for title, body in (
        ("Rows", _rows_table(arrays, dtypes)),
        ("Classes (rows)", _classes_table(arrays)),
        ("", _majority(arrays)),
        ("Scaling (standardize: auto)", _scaling_table(arrays)),
        ("Missing values", _missing_table(arrays)),
        ("Keys that are not read", Text(listed(map(quoted, unused_keys(path) if by_key else ()), 20))),
        ("Not usable as it is", Text(_problem(arrays))),
    ):
        if not isinstance(body, Text) or body.plain:
            console.print(Text(f"\n{title}" if title else ""))
            console.print(Padding(body, _INDENT))
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def _rows_table(arrays: Arrays, dtypes: Mapping[str, np.dtype]) -> Table:
    rows = []
    for name, split in arrays.splits.items():
        cells = [name, f"{len(split):,}"]
        for field in ("embeddings", "tabular"):
            array = getattr(split, field)
            key = NPZ_KEYS[name, field]
            cells.append("-" if array is None else f"{array.shape[1]} {dtypes.get(key, array.dtype)}")
        given = split.ids[:1].tolist() != [f"{name}:0"]
        known = 0 if split.labels is None else int((split.labels >= 0).sum())
        labels = "all" if known == len(split) else f"{known:,}" if known else "none"
        rows.append([*cells, labels, "yes" if given else "no", "no" if split.texts is None else "yes"])
    return _table(["split", ">rows", "embeddings", "tabular", "labels", "ids", "texts"], rows)


def _counts(arrays: Arrays) -> dict[str, np.ndarray]:
    """Rows of each class in every split that has labels."""
    n = len(arrays.classes)
    return {
        name: np.bincount(split.labels[(split.labels >= 0) & (split.labels < n)], minlength=n)
        for name, split in arrays.splits.items()
        if split.labels is not None and n
    }


def _classes_table(arrays: Arrays) -> Table | Text:
    counts = _counts(arrays)
    if not counts:
        return Text("")
    first = next(iter(counts.values()))
    order: Sequence[int] = range(len(arrays.classes))
    title = f">% of {next(iter(counts))}"
    left_out = 0
    if len(order) > _MAX_CLASSES:
        by_size = np.argsort(-first, kind="stable")
        order = [*by_size[: _MAX_CLASSES - 10], *by_size[-10:]]
        left_out = len(arrays.classes) - _MAX_CLASSES
    rows = [
        [
            str(k),
            arrays.classes[k],
            *(f"{c[k]:,}" for c in counts.values()),
            f"{100 * first[k] / max(1, first.sum()):.1f}",
        ]
        for k in order
    ]
    if left_out:
        rows.insert(_MAX_CLASSES - 10, ["", f"({left_out} classes between these)", *[""] * (len(counts) + 1)])
    return _table([">label", "class", *(f">{name}" for name in counts), title], rows)


def _majority(arrays: Arrays) -> Text:
    counts = {name: c for name, c in _counts(arrays).items() if name != "excluded" and c.sum()}
    if not counts:
        return Text("")
    k = int(next(iter(counts.values())).argmax())
    shares = listed(f"{100 * c[k] / c.sum():.1f} % of {name}" for name, c in counts.items())
    return Text(f"Majority class {quoted(arrays.classes[k])}: {shares} (what always guessing it would score)")


def _scaling_table(arrays: Arrays) -> Table | Text:
    if "train" not in arrays.splits:
        return Text("")
    rows = []
    for field in ("embeddings", "tabular"):
        columns = getattr(arrays.splits["train"], field)
        if columns is not None:
            finite = not sum(count_missing(columns))
            rows.append([field, fit_scaling(columns).describe() if finite else "not judged: there are NaN or inf"])
    return _table(["", ""], rows)


def _missing_table(arrays: Arrays) -> Table | Text:
    """NaN and infinite numbers; of tables, what the tabular recipe found missing (and has filled)."""
    rows = []
    for name, split in arrays.splits.items():
        flags = arrays.tabular_names if arrays.recipe else ()
        counts = np.zeros(len(flags), int)
        for part in spans(split.tabular) if flags else ():
            counts += (split.tabular[part] != 0).sum(axis=0)
        for flag, count in zip(flags, counts, strict=True):
            if flag.endswith("_missing") and count:
                rows.append([flag.removesuffix("_missing"), f"{count:,}", f"of {len(split):,} {name} rows"])
        for field in ("embeddings", "tabular"):
            array = getattr(split, field)
            n_nan, n_infinite = (0, 0) if array is None else count_missing(array)
            if n_nan or n_infinite:
                rows.append([NPZ_KEYS[name, field], f"{n_nan:,}", f"NaN and {n_infinite:,} infinite of {array.size:,}"])
    return _table(["", ">", ""], rows) if rows else Text("none")


def _problem(arrays: Arrays) -> str:
    try:
        check(arrays)
    except DataError as error:
        return str(error)
    return ""


def _table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> Table:
    """Columns whose title starts with ``>`` are flush right; without any title there is no head."""
    columns = list(columns)
    titled = any(title.strip(">") for title in columns)
    table = Table(box=None, pad_edge=False, show_header=titled, header_style="", padding=(0, 2, 0, 0))
    for title in columns:
        table.add_column(title.removeprefix(">"), justify="right" if title.startswith(">") else "left")
    for row in rows:
        table.add_row(*(Text(cell if cell.isprintable() else quoted(cell)) for cell in row))
    return table
