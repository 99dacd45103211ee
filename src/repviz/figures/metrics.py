"""Learning curves: loss, accuracy, F1, learning rate and gradient norm over epochs, with gaps where not measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from repviz.errors import UserError
from repviz.figures.view import View
from repviz.theme import LOOKS, Look, template

Metrics = pd.DataFrame | Iterable[Mapping[str, float]]


@dataclass(frozen=True)
class Curve:
    """One column of the metrics table; ``color`` is an index into the theme's split colours."""

    column: str
    name: str
    color: int


@dataclass(frozen=True)
class Panel:
    """Curves that share one pair of axes."""

    title: str
    y_title: str
    curves: tuple[Curve, ...]
    can_be_log: bool = False
    from_zero: bool = False


PANELS: dict[str, Panel] = {
    "loss": Panel(
        "Loss",
        "loss",
        (
            Curve("train_loss", "train", 0),
            Curve("val_loss", "val", 1),
            Curve("excl_loss", "excluded", 2),
        ),
        can_be_log=True,
    ),
    "accuracy": Panel(
        "Accuracy",
        "accuracy",
        (
            Curve("train_accuracy", "train", 0),
            Curve("val_accuracy", "val", 1),
            Curve("excl_accuracy", "excluded", 2),
        ),
    ),
    "f1": Panel(
        "F1 on val",
        "F1",
        (Curve("val_f1_macro", "macro F1", 1), Curve("val_f1_confidence", "confidence-weighted F1", 2)),
    ),
    "lr": Panel("Learning rate", "rate", (Curve("lr", "learning rate", 0),), from_zero=True),
    "grad_norm": Panel("Gradient norm", "L2 norm", (Curve("grad_norm", "gradient norm", 0),), from_zero=True),
}


def measured(metrics: Metrics) -> pd.DataFrame:
    """The table with one row for every epoch between first and last: NaN where nothing was measured."""
    table = pd.DataFrame(list(metrics) if not isinstance(metrics, pd.DataFrame) else metrics)
    if table.empty:
        return pd.DataFrame(index=pd.Index([], name="epoch", dtype=int))
    table = table.drop_duplicates("epoch", keep="last").set_index("epoch").sort_index()
    return table.reindex(range(int(table.index[0]), int(table.index[-1]) + 1)).rename_axis("epoch")


def best_epoch(metrics: Metrics, monitor: str = "val_accuracy") -> int | None:
    """First trained epoch with the best ``monitor`` (the lowest, if it is a loss); None where never measured."""
    table = measured(metrics)
    if monitor not in table:
        return None
    values = table.loc[table.index > 0, monitor].dropna()
    if values.empty:
        return None
    return int(values.idxmin() if monitor.endswith("loss") else values.idxmax())


def panel(metrics: Metrics, name: str, view: View) -> go.Figure:
    """One panel of ``PANELS``.

    ``view.options``: ``epoch`` (marked), ``log`` (y axis), ``monitor`` (what is best), ``baseline`` (numbers by column,
    of a simpler model), ``bare`` (no title and no legend, for a page that has its own).

    Raises:
        UserError: there is no such panel.
    """
    if name not in PANELS:
        raise UserError(f"no panel {name!r}; there are {', '.join(PANELS)}")
    figure = go.Figure()
    table = measured(metrics)
    _draw(figure, table, PANELS[name], view, legend=True)
    _mark(figure, table, view)
    _style(figure, view, PANELS[name].title)
    figure.update_xaxes(title_text="epoch", **_ticks(table))
    figure.update_yaxes(title_text=PANELS[name].y_title)
    return figure


def figure(metrics: Metrics, view: View) -> go.Figure:
    """All panels in one figure; ``view.options`` as for ``panel``."""
    table = measured(metrics)
    cells = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    whole = make_subplots(
        2, 3, subplot_titles=[p.title for p in PANELS.values()], horizontal_spacing=0.07, vertical_spacing=0.16
    )
    for title, axis in zip(whole.layout.annotations, whole.select_xaxes(), strict=False):
        title.update(x=axis.domain[0], xanchor="left")  # the label of the best epoch stands over the middle
    for number, (name, (row, col)) in enumerate(zip(PANELS, cells, strict=True), start=1):
        _draw(whole, table, PANELS[name], view, legend=name in ("loss", "f1"), row=row, col=col)
        whole.update_xaxes(title_text="epoch", row=row, col=col, **_ticks(table))
        whole.update_yaxes(title_text=PANELS[name].y_title, row=row, col=col)
        _mark(whole, table, view, "" if number == 1 else str(number))
    _style(whole, view, "Learning curves")
    whole.update_layout(legend={"x": 0.74, "y": 0.36, "xanchor": "left", "yanchor": "top"}, height=640)
    return whole


def _draw(target: go.Figure, table: pd.DataFrame, panel: Panel, view: View, *, legend: bool, **cell: Any) -> None:
    look = LOOKS[view.theme]
    dense = len(table) > 60
    for curve in panel.curves:
        if curve.column not in table or table[curve.column].isna().all():
            continue
        color = look.splits[curve.color]
        target.add_trace(
            go.Scatter(
                x=table.index.to_numpy(np.int32),
                y=table[curve.column].to_numpy(np.float64),
                name=curve.name,
                mode="lines+markers",
                connectgaps=False,
                line={"color": color, "width": 2},
                marker={"color": color, "size": 3 if dense else 5},
                legendgroup=curve.name,
                showlegend=legend,
                hovertemplate="%{y:.4g}",
            ),
            **cell,
        )
    _draw_baseline(target, table, panel, view, **cell)
    if not any(c.column in table and table[c.column].notna().any() for c in panel.curves):
        middle = {"x": 0.5, "y": 0.5, "xref": "x domain", "yref": "y domain"}
        text = {"text": "not measured yet", "showarrow": False, "font": {"color": look.muted}, "bgcolor": look.surface}
        target.add_annotation(**middle, **text, **cell)
        target.update_yaxes(showticklabels=False, **cell)
    if panel.can_be_log and view.options.get("log"):
        target.update_yaxes(type="log", dtick="D2", exponentformat="power", **cell)
    else:
        target.update_yaxes(rangemode="tozero" if panel.from_zero else "nonnegative", exponentformat="e", **cell)


def _draw_baseline(target: go.Figure, table: pd.DataFrame, panel: Panel, view: View, **cell: Any) -> None:
    """A dashed line per curve whose column the baseline knows: lines, not shapes, so that the axis makes room.

    Of several, the lowest has its words below, where they do not lie over those of the next.
    """
    baseline = view.options.get("baseline") or {}
    known = [(curve, baseline[curve.column]) for curve in panel.curves if baseline.get(curve.column) is not None]
    known = [] if table.empty else sorted(known, key=lambda pair: pair[1])
    for number, (curve, value) in enumerate(known):
        color = LOOKS[view.theme].splits[curve.color]
        first, last = int(table.index[0]), max(int(table.index[-1]), int(table.index[0]) + 1)
        target.add_trace(
            go.Scatter(
                x=[first, last],
                y=[value, value],
                name=f"{curve.name}: logistic regression",
                mode="lines",
                line={"color": color, "width": 1.3, "dash": "dash"},
                showlegend=False,
                hoverinfo="skip",
            ),
            **cell,
        )
        target.add_annotation(
            x=first,
            y=value,
            text=f"log. regression {value:.3f}",
            showarrow=False,
            xanchor="left",
            yanchor="top" if number < len(known) - 1 else "bottom",
            font={"size": 10, "color": color},
            **cell,
        )


def _mark(target: go.Figure, table: pd.DataFrame, view: View, axis: str = "") -> None:
    """Lines through the best epoch and the one that is looked at."""
    look = LOOKS[view.theme]
    best = best_epoch(table.reset_index(), view.options.get("monitor", "val_accuracy"))
    epoch = view.options.get("epoch")
    if best is not None:
        _line(target, best, axis, look, "best epoch", dash="dot", color=look.muted, text=f"best: {best}")
    if epoch is not None:
        _line(target, int(epoch), axis, look, "current epoch", dash="solid", color=look.accent, text=f"epoch {epoch}")


def _line(target: go.Figure, epoch: int, axis: str, look: Look, name: str, *, dash: str, color: str, text: str) -> None:
    place = {"xref": f"x{axis}", "yref": f"y{axis} domain"}
    target.add_shape(
        type="line",
        x0=epoch,
        x1=epoch,
        y0=0,
        y1=1,
        name=name,
        line={"color": color, "width": 1.5, "dash": dash},
        **place,
    )
    # The current epoch is written below the top and the best one above it: at the same epoch both can be read.
    below = name == "current epoch"
    target.add_annotation(
        x=epoch,
        y=1,
        text=text,
        showarrow=False,
        yanchor="top" if below else "bottom",
        xanchor="left" if below else "center",
        xshift=4 if below else 0,
        font={"size": 10, "color": color},
        bgcolor=look.surface if below else None,
        **place,
    )


def _ticks(table: pd.DataFrame) -> dict[str, Any]:
    """Epochs are whole numbers, however few there are; a single one has room on both sides."""
    if len(table) == 1:
        return {"dtick": 1, "range": [table.index[0] - 0.5, table.index[0] + 1.5]}
    return {"dtick": 1} if len(table) < 9 else {}


def _style(target: go.Figure, view: View, title: str) -> None:
    bare = bool(view.options.get("bare"))
    epoch = view.options.get("epoch")
    target.update_layout(template=template(view.theme), hovermode="x unified")
    if bare:
        target.update_layout(showlegend=False, margin={"l": 48, "r": 12, "t": 20, "b": 40})
    else:
        target.update_layout(
            title_text=title if epoch is None else f"{title} · epoch {epoch}",
            showlegend=True,
            margin={"l": 60, "r": 16, "t": 64, "b": 48},
        )
