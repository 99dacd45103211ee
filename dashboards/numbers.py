"""The numbers behind a figure as CSV: one table per set of dimensions, several of them as a zip."""

import io
import zipfile
from collections.abc import Iterable

import pandas as pd
import xarray as xr


def tables(dataset: xr.Dataset, only: Iterable[str] | None = None) -> dict[str, pd.DataFrame]:
    """Long tables by name: a column per dimension, then one per variable of exactly these dimensions.

    A dimension without names counts from 0; where a dataset has a ``class_name``, classes are named beside it.
    What has no dimension is one row, called ``values``.

    Args:
        dataset: whose.
        only: these variables; None = all.
    """
    wanted = dataset.data_vars if only is None else dataset[list(only)].data_vars
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, variable in wanted.items():
        groups.setdefault(tuple(str(d) for d in variable.dims), []).append(str(name))
    found = {}
    for dimensions, names in groups.items():
        if dimensions:
            table = dataset[names].to_dataframe(dim_order=list(dimensions)).reset_index()
            found["_".join(dimensions)] = _with_class_names(table, dataset)
        else:
            found["values"] = pd.DataFrame([{name: dataset[name].item() for name in names}])
    return found


def _with_class_names(table: pd.DataFrame, dataset: xr.Dataset) -> pd.DataFrame:
    """Beside each column of class numbers their names, unless the table is that of the names."""
    names = dataset.get("class_name")
    if names is None or names.dims != ("class",) or "class_name" in table:
        return table
    for column in ("class_predicted", "class"):
        if column in table and column not in dataset.coords:
            table.insert(table.columns.get_loc(column) + 1, f"{column}_name", names.values[table[column]])
    return table


def as_download(dataset: xr.Dataset, name: str, only: Iterable[str] | None = None) -> tuple[str, bytes]:
    """File name and content: ``<name>.csv``, or ``<name>.zip`` where there is more than one table.

    Args:
        dataset: whose numbers.
        name: of the file.
        only: these variables; None = all.
    """
    found = tables(dataset, only)
    made = {part: table.to_csv(index=False, lineterminator="\n").encode() for part, table in found.items()}
    if len(made) == 1:
        return f"{name}.csv", next(iter(made.values()))
    block = io.BytesIO()
    with zipfile.ZipFile(block, "w", zipfile.ZIP_DEFLATED) as file:
        for part, content in made.items():
            file.writestr(f"{part}.csv", content)
    return f"{name}.zip", block.getvalue()
