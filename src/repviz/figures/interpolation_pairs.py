"""Single pairs of an interpolation: what happens on the way, their order by it, and the pictures of it."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from repviz.figures.shown import shown_classes
from repviz.figures.view import View
from repviz.theme import LOOKS, class_colors, scale_colors

SORTS = ("switches", "lowest probability", "another class")
"""What pairs may be sorted by; see ``pair_facts``."""
_NAMED, _LEAST = 8, 0.05
"""A pair's picture names at most so many classes, those that are at least so probable somewhere on the way."""


def pair_facts(probability: np.ndarray, labels: np.ndarray, switches: np.ndarray) -> dict[str, np.ndarray]:
    """What happens between the ends, by ``SORTS``, ``(n_pairs,)`` each.

    ``switches`` of the predicted class; the ``lowest probability`` on the way of the more probable of the ends'
    classes; the largest probability of ``another class`` than the ends', all others taken together.

    Args:
        probability: ``(n_pairs, n_steps, n_classes)``.
        labels: ``(n_pairs, 2)`` class of either end.
        switches: ``(n_pairs,)``.
    """
    ends = _of_ends(probability, labels)
    found = (switches, ends.max(axis=2).min(axis=1, initial=1.0), (1 - believed(probability, labels)).max(1, initial=0))
    return dict(zip(SORTS, found, strict=True))


def believed(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability of the ends' classes together (of one class: once) along each line: ``(n_pairs, n_steps)``."""
    ends = _of_ends(probability, labels)
    return np.where(labels[:, :1] == labels[:, 1:], ends[:, :, 0], ends.sum(axis=2))


def order(facts: dict[str, np.ndarray], by: str) -> np.ndarray:
    """Pairs on whose way most happens first; as stored among equals."""
    return np.argsort(facts[by] if by == SORTS[1] else -facts[by], kind="stable")


def sorted_pairs(dataset: xr.Dataset, members: np.ndarray, by: str) -> np.ndarray:
    """Numbers of the pairs that are ``members`` (``(n_pairs,)`` bool), ordered."""
    rows = np.flatnonzero(members)
    one = dataset.isel(pair=rows)
    return rows[
        order(pair_facts(one["probability"].values, one["pair_label"].values, one["switches"].values.astype(float)), by)
    ]


def pair_text(dataset: xr.Dataset, pair: int, names: list[str]) -> str:
    """``3: cats → dogs``, or ``3: within cats``."""
    first, last = (names[k] for k in dataset["pair_label"].values[pair])
    return f"{pair}: within {first}" if first == last else f"{pair}: {first} → {last}"


def names_of(dataset: xr.Dataset) -> list[str]:
    """Names of the classes, numbers where the dataset has none."""
    return shown_classes(dataset) if "class_name" in dataset else [f"class {k}" for k in range(dataset.sizes["class"])]


def add_sorted(target: go.Figure, dataset: xr.Dataset, pairs: np.ndarray, view: View, col: int) -> None:
    """A row per pair, coloured by ``believed``, with a mark where the predicted class changes."""
    if not len(pairs):
        return
    t, names = dataset["t"].values, names_of(dataset)
    probability, labels = dataset["probability"].values[pairs], dataset["pair_label"].values[pairs]
    predicted = probability.argmax(axis=2)
    texts = np.array([pair_text(dataset, pair, names) for pair in pairs], dtype=object)
    target.add_trace(
        go.Heatmap(
            x=t,
            z=believed(probability, labels).astype(np.float32),
            zmin=0,
            zmax=1,
            colorscale=scale_colors(view.theme),
            showscale=col == 2,
            colorbar={"title": {"text": "probability<br>of the ends'<br>classes"}, "thickness": 10},
            customdata=np.stack(
                [np.broadcast_to(texts[:, None], predicted.shape), np.array(names, dtype=object)[predicted]], axis=2
            ),
            hovertemplate="pair %{customdata[0]}<br>predicted here: %{customdata[1]}"
            "<br>the ends' classes: %{z:.3f}<extra></extra>",
        ),
        row=1,
        col=col,
    )
    row, step = np.nonzero(np.diff(predicted, axis=1))
    look = LOOKS[view.theme]
    target.add_trace(
        go.Scatter(
            x=(t[step] + t[step + 1]) / 2,
            y=row,
            mode="markers",
            name="the predicted class changes",
            showlegend=col == 1,
            marker={"symbol": "diamond", "size": 5, "color": look.surface, "line": {"width": 1, "color": look.text}},
            hoverinfo="skip",
        ),
        row=1,
        col=col,
    )


def add_pair(target: go.Figure, dataset: xr.Dataset, pair: int, view: View) -> None:
    """Probabilities of the classes along one line: the ends' thick, others that matter thin, the rest as one."""
    look, names = LOOKS[view.theme], names_of(dataset)
    t, probability = dataset["t"].values, dataset["probability"].values[pair]
    ends = list(dict.fromkeys(int(k) for k in dataset["pair_label"].values[pair]))
    most = probability.max(axis=0)
    others = [int(k) for k in np.argsort(-most, kind="stable") if k not in ends and most[k] >= _LEAST]
    shown = ends + others[: _NAMED - len(ends)]
    colors = class_colors(len(names))
    for k in shown:
        line = {"color": colors[k], "width": 3.5 if k in ends else 1.5}
        _add_line(target, t, probability[:, k], names[k] + (" (end)" if k in ends else ""), line)
    if len(shown) < len(names):
        rest = np.delete(probability, shown, axis=1).sum(axis=1)
        _add_line(target, t, rest, f"{len(names) - len(shown)} other classes together", {"color": look.muted} | _DOTTED)


_DOTTED = {"width": 1.5, "dash": "dot"}


def _add_line(target: go.Figure, t: np.ndarray, values: np.ndarray, name: str, line: dict[str, object]) -> None:
    target.add_trace(
        go.Scatter(
            x=t, y=values, name=name, mode="lines", line=line, hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>"
        )
    )


def _of_ends(probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability of either end's class, ``(n_pairs, n_steps, 2)``."""
    return np.take_along_axis(probability, labels[:, None, :], axis=2)
