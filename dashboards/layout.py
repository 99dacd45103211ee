"""The shell around the pages: header with run and state, navigation, and the transport that moves through epochs."""

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from repviz.dashboards import ids
from repviz.dashboards.drawing import Pictures
from repviz.dashboards.pages import GROUPS, PAGES, what_pages_show
from repviz.figures.projection import METHOD_NAMES
from repviz.theme import (
    DARK,
    FONT_FAMILY,
    LIGHT,
    NO_COLOR,
    SPLIT_NAMES,
    SPLIT_SIZES,
    YES_COLOR,
    Look,
    scale_colors,
)
from repviz.version import __version__

_KEYS = (
    (["Space"], "play, pause"),
    (["←", ","], "previous epoch"),
    (["→", "."], "next epoch"),
    (["Home"], "first epoch"),
    (["End"], "latest epoch, and follow it"),
    (["Esc"], "clear the selection; then all classes, all maps"),
    (["?"], "this list"),
)
_ACCENT = [
    *("#eef0ff", "#dbe0fb", "#b5bff3", "#8d9bee", "#6c7ce8", "#5769e2", "#4c5fd7", "#3f50bd", "#3646a8", "#2b3a93")
]

_DARK = [
    *(DARK.text, "#c3cad4", DARK.muted, "#6b7685", "#39414e", "#2c333e", "#1d222b", DARK.surface, "#11151b", DARK.page)
]


def shell(pictures: Pictures) -> dmc.MantineProvider:
    """The whole page, the same for every run: what is shown in it comes from the scripts."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.APP, data=_config(pictures)),
            dcc.Interval(id=ids.TICK, interval=int(1000 * ids.CLOCK_SECONDS)),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header()),
                    dmc.AppShellNavbar(_navigation()),
                    dmc.AppShellMain(_main()),
                    dmc.AppShellFooter(_transport()),
                ],
                id=ids.SHELL,
                header={"height": 56},
                footer={"height": {"base": 112, "md": 84}},
                navbar={"width": 190, "breakpoint": "sm", "collapsed": {"mobile": True}},
                padding=0,
            ),
            _help(),
            dmc.Drawer(
                html.Div(id=ids.PROBLEMS_LIST),
                id=ids.PROBLEMS_DRAWER,
                title="What went wrong",
                position="right",
                size="lg",
                closeButtonProps={"aria-label": "close"},
            ),
        ],
        theme={
            "fontFamily": FONT_FAMILY,
            "headings": {"fontFamily": FONT_FAMILY},
            "primaryColor": "accent",
            "primaryShade": {"light": 6, "dark": 5},
            "colors": {"accent": _ACCENT, "dark": _DARK},
            "defaultRadius": "md",
        },
        defaultColorScheme="auto",
    )


def _config(pictures: Pictures) -> dict[str, Any]:
    looks = {"light": LIGHT, "dark": DARK}
    return {
        "version": __version__,
        "splits": list(SPLIT_NAMES),
        "split_sizes": list(SPLIT_SIZES),
        "pages": [page.NAME for page in PAGES],
        **what_pages_show(pictures),
        "methods": [[method, METHOD_NAMES[method]] for method in ("umap", "pca")],
        "looks": {name: _colors(look) | {"scale": scale_colors(name)} for name, look in looks.items()},
    }


def _colors(look: Look) -> dict[str, Any]:
    return {
        "surface": look.surface,
        "text": look.text,
        "muted": look.muted,
        "accent": look.accent,
        "no_class": look.no_class,
        "yes": YES_COLOR,
        "no": NO_COLOR,
        "splits": list(look.splits),
    }


def _header() -> html.Div:
    return html.Div(
        [
            dmc.Burger(id=ids.BURGER, size="sm", hiddenFrom="sm", opened=False, **{"aria-label": "pages"}),
            html.H1(html.A([html.Span(className="logo"), "repviz"], className="brand", href="?")),
            _run_select(),
            html.Div(id=ids.STATE, className="run-state", role="status"),
            html.Div(id=ids.PROGRESS, className="run-progress"),
            html.Div(className="spacer"),
            dmc.Button(
                id=ids.PROBLEMS,
                children="0 problems",
                variant="light",
                color="orange",
                size="compact-sm",
                leftSection=icon("warning"),
                style={"display": "none"},
            ),
            _action(ids.HELP, "help", "Keys (?)", "bottom"),
            dmc.ColorSchemeToggle(
                id=ids.SCHEME,
                lightIcon=icon("sun"),
                darkIcon=icon("moon"),
                variant="subtle",
                color="gray",
                size="lg",
                **{"aria-label": "dark or light"},
            ),
        ],
        className="header",
    )


def _run_select() -> dmc.Select:
    return dmc.Select(
        id=ids.RUN,
        data=[],
        placeholder="no runs yet",
        searchable=True,
        allowDeselect=False,
        checkIconPosition="right",
        nothingFoundMessage="no such run",
        renderOption={"function": "runOption"},
        comboboxProps={"width": 430, "position": "bottom-start"},
        maxDropdownHeight=420,
        w=250,
        size="sm",
        **{"aria-label": "run"},
    )


def _navigation() -> html.Nav:
    return html.Nav(
        [
            html.Div(
                [
                    *([html.H2(title)] if title else []),
                    *(
                        html.A([icon(page.ICON), page.TITLE], id=ids.nav(page.NAME), href=f"?page={page.NAME}")
                        for page in pages
                    ),
                ],
                className="navigation-group",
            )
            for title, pages in GROUPS
        ],
        className="navigation",
        **{"aria-label": "pages"},
    )


def _main() -> html.Div:
    return html.Div(
        [
            html.Div(id=ids.NOTICE, className="notice", role="alert", hidden=True),
            html.Div(id=ids.SELECTION, className="selection-bar", role="status", hidden=True),
            *(html.Div(page.layout(), id=ids.page(page.NAME), className="page", hidden=True) for page in PAGES),
        ],
        className="main",
    )


def _transport() -> html.Div:
    return html.Div(
        [
            html.Div(
                [
                    _action(ids.FIRST, "first", "First epoch (Home)"),
                    _action(ids.PREVIOUS, "previous", "Previous epoch (←)"),
                    _action(ids.PLAY, "play", "Play (space)", variant="filled", color="accent"),
                    _action(ids.NEXT, "next", "Next epoch (→)"),
                    _action(ids.LATEST, "latest", "Latest epoch (End)"),
                ],
                className="buttons",
                role="group",
                **{"aria-label": "move through epochs"},
            ),
            dmc.Select(
                id=ids.SPEED,
                data=[{"value": v, "label": f"{v}×"} for v in ("0.5", "1", "2", "4")],
                value="1",
                allowDeselect=False,
                withCheckIcon=False,
                size="xs",
                w=68,
                **{"aria-label": "speed of playing"},
            ),
            html.Div(id=ids.TIMELINE, className="timeline"),
            dmc.Switch(id=ids.FOLLOW, label="follow latest", size="sm", checked=True),
        ],
        className="transport",
    )


def _help() -> dmc.Modal:
    rows = [
        html.Div([html.Span([dmc.Kbd(key) for key in keys], className="keys"), html.Span(text)], className="key-row")
        for keys, text in _KEYS
    ]
    mouse = [
        html.P("On a map: drag moves it, the wheel zooms, a double click on its title shows it alone."),
        html.P("Shift and drag selects with a lasso, on all maps at once; with Ctrl it adds, with Alt it takes out."),
        html.P("A click on a point chooses it: its nearest neighbours in each layer's own space are shown."),
        html.P("In the list of classes: a click shows that class alone, with Ctrl or Shift it joins the others."),
    ]
    return dmc.Modal(
        [*rows, html.Div(mouse, className="help-mouse")],
        id=ids.HELP_DIALOG,
        title="Keys",
        centered=True,
        closeButtonProps={"aria-label": "close"},
    )


def _action(
    component: str, name: str, text: str, position: str = "top", variant: str = "subtle", color: str = "gray"
) -> dmc.Tooltip:
    button = dmc.ActionIcon(
        icon(name), id=component, variant=variant, color=color, size="lg", n_clicks=0, **{"aria-label": text}
    )
    return dmc.Tooltip(button, label=text, position=position, openDelay=400)


def icon(name: str) -> html.Span:
    """An icon of the stylesheet."""
    return html.Span(className=f"icon icon-{name}", **{"aria-hidden": "true"})
