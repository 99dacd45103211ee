"""Names of the components that Python and the pages' scripts both speak of."""

APP = "app-config"
"""Store with what the scripts have to know of this server."""
TICK = "tick"
CLOCK_SECONDS = 1.0
"""How often a page asks for news."""

RUN = "run-select"
STATE = "run-state"
PROGRESS = "run-progress"
PROBLEMS = "problems"
PROBLEMS_DRAWER = "problems-drawer"
PROBLEMS_LIST = "problems-list"
HELP = "help"
HELP_DIALOG = "help-dialog"
SCHEME = "color-scheme"
BURGER = "burger"
SHELL = "shell"
NOTICE = "notice"

PREVIOUS, PLAY, NEXT = "previous", "play", "next"
FIRST, LATEST = "first", "latest"
SPEED = "speed"
FOLLOW = "follow"
TIMELINE = "timeline"

METHOD = "method"
AXES = "axes"
LABELS = "labels"
COLOR = "color"
TOOL = "tool"
GHOST = "ghost"
TRAILS = "trails"
SELECTION = "selection"
POINT = "point-panel"

TABLE = "table"
TABLE_STATE = "table-state"
TABLE_EMPTY = "table-empty"
SHOWN = "shown"
VERDICT = "verdict"
FIND = "find"
SELECT_SHOWN = "select-shown"
EXPORT = "export"
SAMPLE = "sample"
SAMPLES_MAP = "samples-map"
MAPS = "maps"
LEGEND = "legend"
MAPS_EMPTY = "maps-empty"

TILES = "tiles"
OVERVIEW_MAP = "overview-map"
LOG = "log-loss"
PREDICTION = "prediction"
CONFUSION_TITLE = "confusion-title"
PREDICTION_EMPTY = "prediction-empty"
CONFUSION = "confusion"
CALIBRATION = "calibration"
CALIBRATION_TITLE = "calibration-title"
PER_CLASS = "per-class"
CURVES_EMPTY = "curves-empty"


def page(name: str) -> str:
    """The container of a page."""
    return f"page-{name}"


def nav(name: str) -> str:
    """The link to a page."""
    return f"nav-{name}"


def curve(panel: str) -> str:
    """The graph of a panel of learning curves."""
    return f"curve-{panel}"


def mount(page: str) -> str:
    """Where the scripts put the content of a page."""
    return f"mount-{page}"


def tools(page: str) -> str:
    """What can be chosen on a page of figures."""
    return f"tools-{page}"


def views(page: str) -> str:
    """The figures of a page."""
    return f"views-{page}"
