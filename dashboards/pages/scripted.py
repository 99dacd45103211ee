"""Pages that the scripts fill wholly: a heading for screen readers, and the element that they mount into."""

from dataclasses import dataclass

from dash import Dash, html

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests


@dataclass(frozen=True)
class ScriptedPage:
    """A page of one mounting point; its fields are what every page's module has."""

    NAME: str
    TITLE: str
    ICON: str

    def layout(self) -> html.Div:
        """An empty page."""
        return html.Div(id=ids.mount(self.NAME), className=f"scripted {self.NAME}")

    def register(self, app: Dash, catalog: Catalog, manifests: Manifests) -> None:
        """Nothing to register: what is shown comes from ``run_routes`` and ``figure_routes``."""


FILM = ScriptedPage("film", "Filmstrip", "strip")
RUNS = ScriptedPage("runs", "All runs", "runs")
COMPARE = ScriptedPage("compare", "Compare", "compare")
LOG = ScriptedPage("log", "Config and log", "log")
