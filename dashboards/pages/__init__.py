"""The pages: each a module or an object with ``NAME``, ``TITLE``, ``ICON``, ``layout()`` and ``register(app, ...)``."""

from typing import Any

from repviz.dashboards.drawing import Pictures
from repviz.dashboards.pages import overview, representations, samples
from repviz.dashboards.pages.diagnostics import DIAGNOSTIC_PAGES, OTHER
from repviz.dashboards.pages.scripted import COMPARE, FILM, LOG, RUNS

GROUPS = (
    ("", (overview, representations, samples)),
    ("Diagnostics", (*DIAGNOSTIC_PAGES, FILM)),
    ("Runs", (RUNS, COMPARE, LOG)),
)
"""Title and pages of each part of the navigation."""

PAGES = tuple(page for _, pages in GROUPS for page in pages)

METRICS = "metrics"
"""Stands for the rows of the metrics table where kinds are named."""

_EPOCHS_OF = {overview.NAME: (METRICS, "projection"), representations.NAME: ("projection",)}
_DRAWN_BY_PAGES = {"projection"}
"""Pictures that a page draws in a way of its own."""


def what_pages_show(pictures: Pictures) -> dict[str, Any]:
    """For the scripts: the pictures there are, which page shows which, whose epochs each page's slider runs over."""
    named = {name for page in DIAGNOSTIC_PAGES for name in page.pictures}
    rest = sorted({*pictures.known, *pictures.broken} - named - _DRAWN_BY_PAGES)
    views = {page.NAME: rest if page is OTHER else list(page.pictures) for page in DIAGNOSTIC_PAGES}
    kinds = {name: pictures.known[name].kind if name in pictures.known else name for name in {*named, *rest}}
    return {
        "views": views,
        "rest": OTHER.NAME,
        "without_run": [RUNS.NAME],
        "epochs_of": {page: sorted({kinds[name] for name in shown}) for page, shown in views.items()}
        | {page: list(shown) for page, shown in _EPOCHS_OF.items()},
        "pictures": {
            name: {
                "kind": picture.kind,
                "over_epochs": picture.over_epochs is not None,
                "options": {option: list(choices) for option, choices in picture.options.items()},
                "one_layer": picture.one_layer,
                "beside": picture.beside is not None,
            }
            for name, picture in pictures.known.items()
        },
        "broken_pictures": pictures.broken,
    }
