"""Pages of figures: each shows the pictures of some kinds, at the epoch and over epochs; the scripts fetch them.

What may be chosen in a picture comes from what its module declares, so a picture that an installed package brings
needs nothing here: it is shown on the page of those that no other page names.
"""

from dataclasses import dataclass

from dash import Dash, html

from repviz.dashboards import ids
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests


@dataclass(frozen=True)
class DiagnosticPage:
    """A page of pictures; its fields are what every page's module has.

    Attributes:
        NAME, TITLE, ICON: of the page.
        pictures: names of what it shows, one below the other.
        beside: whether the figure over epochs stands beside that of the epoch where there is room.
    """

    NAME: str
    TITLE: str
    ICON: str
    pictures: tuple[str, ...] = ()
    beside: bool = False

    def layout(self) -> html.Div:
        """Choices above, figures below; the scripts fill both."""
        return html.Div(
            [
                html.Div(id=ids.tools(self.NAME), className="toolbar"),
                html.Div(id=ids.views(self.NAME), className="views beside" if self.beside else "views"),
            ]
        )

    def register(self, app: Dash, catalog: Catalog, manifests: Manifests) -> None:
        """Nothing to register: figures come from ``figure_routes``."""


PROBES = DiagnosticPage("probes", "Probes", "probe", ("probe",), beside=True)
SURFACE = DiagnosticPage("surface", "Decision surface", "surface", ("surface",), beside=True)
INTERPOLATION = DiagnosticPage("interpolation", "Interpolation", "interpolation", ("interpolation",))
NEURONS = DiagnosticPage("neurons", "Neurons", "neurons", ("response",))
LANDSCAPE = DiagnosticPage("landscape", "Landscape", "landscape", ("landscape", "trajectory"))
LAYERS = DiagnosticPage("layers", "Layers over time", "layers", ("similarity", "geometry"))
SCATTER = DiagnosticPage("scatter", "Scatter matrix", "scatter", ("scatter_matrix",))
OTHER = DiagnosticPage("other", "Other", "other")
"""Shows every picture that no other page names, and every kind that has no picture at all."""

DIAGNOSTIC_PAGES = (SCATTER, PROBES, SURFACE, INTERPOLATION, NEURONS, LANDSCAPE, LAYERS, OTHER)
