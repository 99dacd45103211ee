"""What a browser asks of a picture, each part looked up among what there is."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import xarray as xr

from repviz.dashboards.asked_rows import rows_of
from repviz.dashboards.catalog import NotThereError
from repviz.errors import UserError
from repviz.figures.registry import Choices, Picture
from repviz.figures.view import View, usual_layer

log = logging.getLogger("repviz")


class DrawingError(Exception):
    """A figure's own code failed on a readable artifact."""


def view_of(picture: Picture, arguments: Mapping[str, str]) -> View:
    """What a browser asks for, each part looked up among what there is.

    A layer, and an option whose choices depend on the dataset, is checked when that is known (see ``known``).

    Raises:
        NotThereError: an option has no such choice, or a list is not one of numbers.
    """
    options = {name: arguments[name] for name, choices in picture.options.items() if not choices and name in arguments}
    for name, choices in picture.options.items():
        if not choices:
            continue
        value = arguments.get(name, choices[0])
        if value not in choices:
            raise NotThereError(f"{picture.name} has no {name}={value!r}; choose one of {', '.join(choices)}")
        options[name] = value
    theme = arguments.get("theme", "light")
    selection = arguments.get("selection")
    return View(
        layer=arguments.get("layer") or None,
        theme="dark" if theme == "dark" else "light",
        classes=_numbers(arguments, "classes"),
        selection=rows_of(selection) if selection else (),
        options=options,
    )


def _numbers(arguments: Mapping[str, str], name: str) -> tuple[int, ...] | None:
    text = arguments.get(name, "")
    try:
        return tuple(int(part) for part in text.split(",")) if text else None
    except ValueError:
        raise NotThereError(f"{name}={text[:80]!r} is not a list of whole numbers") from None


def layers_of(dataset: xr.Dataset) -> list[str]:
    return [str(layer) for layer in dataset["layer"].values] if "layer" in dataset.dims else []


def known(picture: Picture, dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> View:
    """The view without what this dataset does not have: a link may come from another run or kind.

    A layer that is not there is as if none were named; so is an option whose choices the dataset knows.

    Raises:
        DrawingError: the picture cannot tell its choices.
    """
    layers = layers_of(dataset)
    if view.layer not in layers:
        view = replace(view, layer=usual_layer(layers) if picture.one_layer and layers else None)
    if picture.choices is None:
        return view
    offered = choices_of(picture, dataset, view, epochs)
    known = {
        name: value
        for name, value in view.options.items()
        if picture.options[name] or value in [choice for choice, _ in offered.get(name, ())]
    }
    return replace(view, options=known)


def choices_of(picture: Picture, dataset: xr.Dataset, view: View, epochs: Sequence[int]) -> Choices:
    if picture.choices is None:
        return {}
    with guarded(picture):
        return picture.choices(dataset, view, epochs)


@contextmanager
def guarded(picture: Picture) -> Iterator[None]:
    """Around a picture's own code.

    Raises:
        UserError: as the picture raises it; DrawingError: anything else went wrong in it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        log.exception("the figure %r failed", picture.name)
        raise DrawingError(
            f"the figure {picture.name!r} cannot be drawn from this artifact: {type(error).__name__}: {error}. "
            "The server's log has the traceback."
        ) from error
