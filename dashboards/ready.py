"""What the first page needs, made while nobody has asked for it yet: the first answers of a process are its slowest."""

import logging
from typing import TYPE_CHECKING

from repviz.dashboards.catalog import Catalog
from repviz.dashboards.figure_routes import as_json
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.overview_routes import curves
from repviz.theme import LOOKS

if TYPE_CHECKING:
    from repviz.dashboards.page_files import PageDash

log = logging.getLogger("repviz")


def get_ready(app: "PageDash", catalog: Catalog, manifests: Manifests) -> None:
    """Build the page and pack its files, look at the newest run as a page does, and draw its curves.

    Its maps are then looked into by a thread of their own: those of the first page keep their boxes.
    """
    try:
        with app.server.test_request_context("/"):
            app.index()
            app.serve_layout()
            app.dependencies()
        for kind in ("js", "css"):
            app.files.packed(kind)
        manifests.of_runs()
        for name in catalog.names()[:1]:
            run = catalog.find(name)
            manifests.of_run(run)
            for theme in LOOKS:
                as_json(curves(run, manifests, theme))
    except Exception:  # whoever opens the page is told what is wrong
        log.debug("the newest run could not be looked at ahead of time", exc_info=True)
