"""The pages: each a module with ``NAME``, ``TITLE``, ``ICON``, ``layout()`` and ``register(app, ...)``."""

from repviz.dashboards.pages import overview, representations

PAGES = (overview, representations)
