"""The numbers behind a figure as CSV: one table per set of dimensions, several of them as a zip."""

import io
import zipfile

import pandas as pd
import xarray as xr


def tables(dataset: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Long tables by name: a column per dimension, then one per variable of exactly these dimensions.

    A dimension without names counts from 0. What has no dimension is one row, called ``values``.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, variable in dataset.data_vars.items():
        groups.setdefault(tuple(str(d) for d in variable.dims), []).append(str(name))
    found = {}
    for dimensions, names in groups.items():
        if dimensions:
            found["_".join(dimensions)] = dataset[names].to_dataframe(dim_order=list(dimensions)).reset_index()
        else:
            found["values"] = pd.DataFrame([{name: dataset[name].item() for name in names}])
    return found


def as_download(dataset: xr.Dataset, name: str) -> tuple[str, bytes]:
    """File name and content: ``<name>.csv``, or ``<name>.zip`` where there is more than one table."""
    made = {part: table.to_csv(index=False, lineterminator="\n").encode() for part, table in tables(dataset).items()}
    if len(made) == 1:
        return f"{name}.csv", next(iter(made.values()))
    block = io.BytesIO()
    with zipfile.ZipFile(block, "w", zipfile.ZIP_DEFLATED) as file:
        for part, content in made.items():
            file.writestr(f"{part}.csv", content)
    return f"{name}.zip", block.getvalue()
