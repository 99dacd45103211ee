"""What the first page needs, made while nobody has asked for it yet: the first answers of a process are its slowest."""

import logging

from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.page_files import PageFiles
from repviz.dashboards.pages.overview import curves
from repviz.theme import LOOKS

log = logging.getLogger("repviz")


def get_ready(catalog: Catalog, manifests: Manifests, files: PageFiles) -> None:
    """Pack the page's files, look at the newest run as a page does, and draw its curves."""
    try:
        for kind in ("js", "css"):
            files.packed(kind)
        manifests.of_runs()
        for name in catalog.names()[:1]:
            manifests.of_run(catalog.find(name))
            for theme in LOOKS:
                curves({"run": name, "theme": theme}, catalog, manifests)
    except Exception:  # whoever opens the page is told what is wrong
        log.debug("the newest run could not be looked at ahead of time", exc_info=True)
