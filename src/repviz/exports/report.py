"""A run as one HTML file that needs nothing else: results, curves, maps that play, every diagnostic, the settings."""

import base64
import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from repviz.atomic import write_text
from repviz.errors import UserError
from repviz.exports.findings import findings
from repviz.exports.pictures import CURVES, Picture, drawable, pictures, wanted_epoch
from repviz.exports.report_maps import map_data
from repviz.figures.registry import figure_of
from repviz.run import Run, open_run
from repviz.store.hdf5 import DamagedFileError, NewerFormatError
from repviz.store.results_table import read_results
from repviz.store.run_folder import CONFIG_FILE
from repviz.theme import FONT_FAMILY, LOOKS, Theme

_OPTIONS = {"response": {"points": "hidden"}}
"""Thousands of points per unit would fill the file; curves and bands stay."""


@dataclass(frozen=True)
class Section:
    """One diagnostic.

    Attributes:
        kind: its name, also the anchor.
        title: as a heading.
        about: what it shows, in a sentence.
        figures: Plotly figures as JSON.
    """

    kind: str
    title: str
    about: str
    figures: list[str]


def write_report(
    run_dir: Path,
    out: Path | None = None,
    *,
    epoch: str | int = "best",
    layers: Sequence[str] | None = None,
    method: str | None = None,
    theme: Theme = "light",
) -> Path:
    """Write the report.

    Args:
        run_dir: the run, finished or still running.
        out: file; default ``exports/report.html`` in the run.
        epoch: ``best``, ``last`` or a number: what the diagnostics are shown at.
        layers: whose maps play; default: all, of more than four the first, a middle one and the last two.
        method: ``umap`` or ``pca``; default: UMAP where there is one.
        theme: ``light`` or ``dark``.

    Returns:
        the file.

    Raises:
        UserError: a layer or method is not there, or the file cannot be written.
    """
    run = open_run(run_dir)
    out = run.path / "exports" / "report.html" if out is None else Path(out)
    text = render(run, epoch=epoch, layers=layers, method=method, theme=theme)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return out


def render(run: Run, *, epoch: str | int, layers: Sequence[str] | None, method: str | None, theme: Theme) -> str:
    """The page; arguments as of ``write_report``."""
    maps = map_data(run, layers, method, theme) if run.epochs("projection") else None
    found = _drawn(run, epoch, theme)
    environment = Environment(
        loader=PackageLoader("repviz.exports", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        run=run,
        info=run.info(),
        look=LOOKS[theme],
        theme=theme,
        font_family=FONT_FAMILY,
        font=_inter(),
        tiles=_tiles(run),
        results=read_results(run.path),
        findings=findings(run),
        curves=next((section for section in found if section.kind == CURVES), None),
        sections=[section for section in found if section.kind != CURVES],
        maps=None if maps is None else _json(maps),
        map_facts=maps,
        config=_config(run),
        style=_asset("report.css"),
        player=_asset("maps.js"),
        drawing=_asset("figures.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _drawn(run: Run, epoch: str | int, theme: Theme) -> list[Section]:
    """The curves and every diagnostic but the maps; what cannot be read is told among the findings."""
    sections = []
    for kind in drawable(run):
        if kind == "projection":
            continue
        try:
            drawn = list(pictures(run, [kind], epoch, theme, _OPTIONS))
        except (DamagedFileError, NewerFormatError):
            continue
        about = "" if kind == CURVES else (inspect.getdoc(inspect.getmodule(figure_of(kind))) or "").split("\n\n")[0]
        sections.append(
            Section(kind, kind.replace("_", " ").capitalize(), about, [_figure(picture) for picture in drawn])
        )
    return sections


def _figure(picture: Picture) -> str:
    """JSON of a figure as wide as the page."""
    height = picture.figure.layout.height or 460
    picture.figure.update_layout(width=None, height=min(height, 900), autosize=True)
    return _json(json.loads(picture.figure.to_json()))


def _json(content: Any) -> Markup:
    """JSON that can stand inside a ``script`` element whatever texts it holds."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _tiles(run: Run) -> list[tuple[str, str, str]]:
    """Name, value and note of the numbers that come first."""
    info, table = run.info(), run.metrics()
    best = wanted_epoch(run, "best")
    row = table[table["epoch"] == best].iloc[0].to_dict() if (table["epoch"] == best).any() else {}
    tiles = [("epochs", str(int(table["epoch"].max())) if len(table) else "0", info["state"])]
    names = {"val_accuracy": "val accuracy", "val_f1_macro": "val macro F1", "val_loss": "val loss"}
    for column, name in names.items():
        if row.get(column) == row.get(column) and column in row:  # NaN is not itself
            tiles.append((name, f"{row[column]:.3f}", f"at epoch {best}, the best"))
    baseline = read_results(run.path).get("logistic_regression")
    if baseline:
        tiles.append(("logistic regression", f"{baseline['val_accuracy']:.3f}", "val accuracy, same inputs"))
    return tiles


def _config(run: Run) -> str | None:
    path = run.path / CONFIG_FILE
    return path.read_text("utf-8") if path.exists() else None


def _asset(name: str) -> Markup:
    return Markup(resources.files("repviz.exports").joinpath("page", name).read_text("utf-8"))


def _inter() -> str:
    """The dashboard's font in base64."""
    content = resources.files("repviz.dashboards").joinpath("assets", "inter-latin.woff2").read_bytes()
    return base64.b64encode(content).decode("ascii")
