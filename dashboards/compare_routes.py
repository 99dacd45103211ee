"""Routes about several runs: curves over each other, and the same points in each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from flask import Blueprint, Response, request

from repviz.between_runs import KINDS, cka_between, joined_rows, kept_activations
from repviz.dashboards.cache import BoundedCache, stamp_of
from repviz.dashboards.catalog import Catalog, NotThereError, RunFiles
from repviz.dashboards.drawing import on_page
from repviz.dashboards.figure_routes import as_json, download
from repviz.dashboards.frames import for_points
from repviz.dashboards.manifest import UNREADABLE, Manifests
from repviz.figures import comparison
from repviz.figures.view import View

MOST_COMPARED = 10
"""Runs over each other: as many as there are colours that everybody can tell apart."""
_JOINED_BYTES = 32_000_000
_CKA_BYTES = 4_000_000


def add_compare_routes(
    routes: Blueprint,
    catalog: Catalog,
    manifests: Manifests,
    sample_of: Callable[[RunFiles], xr.Dataset],
    same_or_new: Callable[[Response], Response],
) -> None:
    """``/compare``, ``/compare/similarity``, both as numbers, and ``/runs/<run>/frames/…/points-of/<other>``."""
    joined = Joined(sample_of)

    @routes.get("/compare")
    def compare() -> Response:
        names = chosen_runs(catalog, request.args.get("runs", ""))
        rows = {name: manifests.rows(catalog.find(name)) for name in names}
        figure = comparison.figure(rows, _view(log=request.args.get("log") == "1"))
        return as_json(on_page(figure, f"compare/{'/'.join(names)}"))

    @routes.get("/compare/similarity/<int:epoch>")
    def similarity(epoch: int) -> Response:
        one, *others = (catalog.find(name) for name in chosen_runs(catalog, request.args.get("runs", "")))
        return as_json(_similarity(joined, one, others, epoch))

    @routes.get("/compare/numbers")
    def compared_numbers() -> Response:
        names = chosen_runs(catalog, request.args.get("runs", ""))
        tables = [pd.DataFrame(manifests.rows(catalog.find(name))).assign(run=name) for name in names]
        return _saved(pd.concat(tables, ignore_index=True), "compare_curves")

    @routes.get("/compare/numbers/similarity/<int:epoch>")
    def similarity_numbers(epoch: int) -> Response:
        one, *others = (catalog.find(name) for name in chosen_runs(catalog, request.args.get("runs", "")))
        tables = []
        for run in others:
            if keeps_activations(one) and keeps_activations(run):
                found = joined.cka(one, run, epoch)
                tables.append(found["cka"].to_dataframe().reset_index().assign(run=one.name, run_other=run.name))
        if not tables:
            raise NotThereError("no two of the runs have kept activations")
        return _saved(pd.concat(tables, ignore_index=True), f"compare_layers_epoch_{epoch}")

    @routes.get("/runs/<run>/frames/<method>/<int:epoch>/points-of/<other>")
    def joined_frame(run: str, method: str, epoch: int, other: str) -> Response:
        found, asked = catalog.find(run), catalog.find(other)
        rows = joined.rows(asked, found)
        block = for_points(manifests.frame(found, method, epoch), rows)
        return same_or_new(Response(block, mimetype="application/octet-stream"))


class Joined:
    """What two runs have in common, kept as long as their files are the same."""

    def __init__(self, sample_of: Callable[[RunFiles], xr.Dataset]) -> None:
        """Args: reads a run's sample."""
        self._sample_of = sample_of
        self._rows = BoundedCache(_JOINED_BYTES)
        self._cka = BoundedCache(_CKA_BYTES)

    def rows(self, one: RunFiles, other: RunFiles) -> np.ndarray:
        """For each point of ``one`` its row in ``other``, -1 where it is not there; errors as of reading a sample."""
        paths = one.sample(), other.sample()

        def make() -> np.ndarray:
            return joined_rows(*(self._sample_of(run)["id"].values for run in (one, other)))

        return self._rows.get(paths, tuple(map(stamp_of, paths)), make, lambda rows: rows.nbytes)

    def cka(self, one: RunFiles, other: RunFiles, epoch: int) -> xr.Dataset:
        """``cka_between`` the two at ``epoch``, or at the nearest earlier one that either has.

        Raises:
            NotThereError: one of them has kept no activations; and as of reading an artifact.
        """
        sources = [_newest_kept(run, epoch) for run in (one, other)]
        paths = [run.artifact(kind, at) for run, (kind, at) in zip((one, other), sources, strict=True)]

        def make() -> xr.Dataset:
            kept = [kept_activations(path, kind) for path, (kind, _) in zip(paths, sources, strict=True)]
            made = cka_between(*kept, self.rows(one, other))
            return made.assign_attrs(epoch=sources[0][1], epoch_other=sources[1][1])

        stamps = tuple(stamp_of(path) for path in (*paths, one.sample(), other.sample()))
        return self._cka.get(tuple(paths), stamps, make, lambda dataset: dataset.nbytes)


def keeps_activations(run: RunFiles) -> bool:
    """Whether any epoch of the run has kept some."""
    return any(run.files(kind) for kind in KINDS)


def _newest_kept(run: RunFiles, epoch: int) -> tuple[str, int]:
    """Kind and epoch of the newest activations up to ``epoch``, else of the first; where both are, all points."""
    known = [(at, -number, kind) for number, kind in enumerate(KINDS) for at in run.files(kind)]
    if not known:
        raise NotThereError(f"run {run.name} has kept no activations")
    earlier = [entry for entry in known if entry[0] <= epoch]
    at, _, kind = max(earlier) if earlier else min(known, key=lambda entry: (entry[0], -entry[1]))
    return kind, at


def _similarity(joined: Joined, one: RunFiles, others: list[RunFiles], epoch: int) -> dict[str, Any]:
    """The figure (null where nothing can be compared), ``lacking`` runs, and ``problems`` with others."""
    found: dict[str, xr.Dataset] = {}
    problems = []
    lacking = [run.name for run in (one, *others) if not keeps_activations(run)]
    for run in others if one.name not in lacking else []:
        if run.name in lacking:
            continue
        try:
            dataset = joined.cka(one, run, epoch)
        except (*UNREADABLE, FileNotFoundError, NotThereError) as error:
            problems.append(f"{run.name}: {error}")
            continue
        if dataset.attrs["points"] < 4:
            problems.append(f"{run.name} has {dataset.attrs['points']} points in common with {one.name}; CKA needs 4")
        else:
            found[run.name] = dataset
    figure = comparison.between_figure(one.name, found, _view()) if found else None
    drawn = {"title": "Layers of the runs with each other", "subtitle": "", "figure": None}
    if figure is not None:
        drawn = on_page(figure, f"similarity/{one.name}/{'/'.join(found)}")
    return drawn | {"lacking": lacking, "problems": problems}


def chosen_runs(catalog: Catalog, text: str) -> list[str]:
    """Names that are runs, in the order given.

    Raises:
        NotThereError: none is named, too many are, or one is no run.
    """
    names = list(dict.fromkeys(name for name in text.split(",") if name))
    if not names:
        raise NotThereError("no run is named")
    if len(names) > MOST_COMPARED:
        raise NotThereError(f"{len(names)} runs are too many to be told apart; at most {MOST_COMPARED}")
    return [catalog.find(name).name for name in names]


def _view(**options: Any) -> View:
    return View(theme="dark" if request.args.get("theme") == "dark" else "light", options=options)


def _saved(table: pd.DataFrame, name: str) -> Response:
    """A table as CSV, which run each row is of in front."""
    runs = [column for column in ("run", "run_other") if column in table]
    ordered = table[[*runs, *(column for column in table if column not in runs)]]
    return download(f"{name}.csv", ordered.to_csv(index=False, lineterminator="\n").encode())
