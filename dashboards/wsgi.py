"""``repviz.dashboards.wsgi:application``: the dashboard for a WSGI server of your own; see docs/dashboard.md.

Settings come from the environment: ``REPVIZ_RUNS_DIR``, ``REPVIZ_PASSWORD``, ``REPVIZ_HOSTS``, ``REPVIZ_READ_ONLY``.
"""

import os
from collections.abc import Mapping

from flask import Flask

from repviz.dashboards import guard
from repviz.dashboards.app import create_app
from repviz.errors import UserError


def from_environment(environment: Mapping[str, str]) -> Flask:
    """The app that ``environment`` describes.

    Raises:
        UserError: ``REPVIZ_RUNS_DIR`` is not set, or a server for other names has no password.
    """
    runs_dir = environment.get("REPVIZ_RUNS_DIR")
    if not runs_dir:
        raise UserError("set REPVIZ_RUNS_DIR to the folder that holds the runs")
    password = environment.get("REPVIZ_PASSWORD") or None
    names = {name.strip().lower() for name in environment.get("REPVIZ_HOSTS", "").split(",") if name.strip()}
    if names and password is None:
        raise UserError("REPVIZ_HOSTS opens the dashboard to others: set REPVIZ_PASSWORD too")
    read_only = environment.get("REPVIZ_READ_ONLY", "") not in ("", "0")

    def accepted(host: str) -> bool:
        return guard.is_loopback(host) or host in names

    return create_app(runs_dir, accepted, password=password, read_only=read_only).server


application = from_environment(os.environ)
