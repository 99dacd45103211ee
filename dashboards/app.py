"""``create_app``: the dashboard of one runs folder. No globals: any number of apps can live in one process."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from dash import ClientsideFunction, Dash, Input
from dash.exceptions import DependencyException

from repviz.dashboards import guard, ids, login, nowhere
from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.drawing import Drawer, Pictures
from repviz.dashboards.layout import shell
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.page_files import ASSETS, PageDash, PageFiles
from repviz.dashboards.pages import PAGES
from repviz.dashboards.ready import get_ready
from repviz.dashboards.routes import data_routes

_FRAMES_BYTES = 256_000_000
_SAMPLES_BYTES = 256_000_000
_FIGURES_BYTES = 128_000_000
_HISTORY_BYTES = 64_000_000

_INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="assets/icon.svg">
        <script src="assets/scheme.js"></script>
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <div>
            {%config%}
            {%scripts%}
            {%renderer%}
        </div>
    </body>
</html>
"""


def create_app(
    runs_dir: Path | str,
    accepted_host: Callable[[str], bool] = guard.is_loopback,
    *,
    password: str | None = None,
    read_only: bool = False,
) -> PageDash:
    """The dashboard of ``runs_dir``, which need not exist yet.

    Args:
        runs_dir: folder of the runs.
        accepted_host: which host names requests may bear; see ``guard.accepted_host``.
        password: asked for before anything is shown; None = nobody is asked.
        read_only: refuse requests that are not for reading; see ``guard.install``.
    """
    app = PageDash(
        "repviz",
        title="repviz",
        update_title=None,
        assets_folder=str(ASSETS),
        assets_ignore=r".*",
        index_string=_INDEX,
        serve_locally=True,
        suppress_callback_exceptions=False,
        enable_mcp=False,
    )
    app.server.debug = False  # whatever FLASK_DEBUG says: a page of errors with a console is for no visitor
    catalog = Catalog(Path(runs_dir))
    manifests = Manifests(catalog, FileCache(_FRAMES_BYTES))
    pictures = Pictures()
    files = PageFiles()
    files.install(app)
    app.layout = shell(pictures)
    for page in PAGES:
        page.register(app, catalog, manifests)
    register(app)
    drawer = Drawer(_FIGURES_BYTES, _HISTORY_BYTES)
    app.server.register_blueprint(data_routes(catalog, manifests, FileCache(_SAMPLES_BYTES), pictures, drawer))
    hashes = app.csp_hashes()
    guard.install(app.server, accepted_host, lambda: hashes, read_only=read_only)
    if password is not None:
        login.install(app.server, password)
    guard.refuse_callbacks(app.server)
    nowhere.install(app.server)
    app.get_ready = partial(get_ready, app, catalog, manifests)
    app.server.register_error_handler(DependencyException, lambda _: ("there is no such script", HTTPStatus.NOT_FOUND))
    return app


def register(app: Dash) -> None:
    """Pass on to the scripts what components report; see ``assets/90_callbacks.js``."""

    def forward(function: str, *inputs: Input, initially: bool = False) -> None:
        app.clientside_callback(ClientsideFunction("repviz", function), *inputs, prevent_initial_call=not initially)

    forward("start", Input(ids.APP, "data"), initially=True)
    forward("tick", Input(ids.TICK, "n_intervals"))
    forward("chooseRun", Input(ids.RUN, "value"))
    forward("setMethod", Input(ids.METHOD, "value"))
    forward("setAxes", Input(ids.AXES, "value"))
    forward("setLabels", Input(ids.LABELS, "checked"))
    forward("setColor", Input(ids.COLOR, "value"))
    forward("setTool", Input(ids.TOOL, "value"))
    forward("setGhost", Input(ids.GHOST, "value"))
    forward("setTrails", Input(ids.TRAILS, "checked"))
    forward("setShown", Input(ids.SHOWN, "value"))
    forward("setVerdict", Input(ids.VERDICT, "value"))
    forward("setFind", Input(ids.FIND, "value"))
    forward("setFollow", Input(ids.FOLLOW, "checked"))
    forward("setSpeed", Input(ids.SPEED, "value"))
    forward("setLog", Input(ids.LOG, "checked"))
    forward("toggleMenu", Input(ids.BURGER, "opened"))
    for button in (ids.FIRST, ids.PREVIOUS, ids.PLAY, ids.NEXT, ids.LATEST, ids.HELP, ids.PROBLEMS):
        forward(button, Input(button, "n_clicks"))
