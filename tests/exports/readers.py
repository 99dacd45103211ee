"""What the exports have written, read back by the tools that it is for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright
from werkzeug.test import Client
from werkzeug.wrappers import Response

from tests.dashboards.browser.watching import ARGUMENTS


def read_by_tensorboard(folder: Path) -> tuple[dict[str, tuple[int, ...]], np.ndarray, str]:
    """Shapes of all tensors, the first tensor's numbers and its metadata, as TensorBoard serves them to its page."""
    projector = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    context = SimpleNamespace(data_provider=None, logdir=str(folder))
    apps = projector.ProjectorPlugin(context).get_plugin_apps()

    def ask(route, **query):
        answer = Client(apps[route], Response).get("/", query_string={"run": ".", **query})
        assert answer.status_code == 200, answer.get_data()
        return answer.get_data()

    embeddings = json.loads(ask(projector.CONFIG_ROUTE))["embeddings"]
    shapes = {entry["tensorName"]: tuple(entry["tensorShape"]) for entry in embeddings}
    name = embeddings[0]["tensorName"]
    numbers = np.frombuffer(ask(projector.TENSOR_ROUTE, name=name), np.float32)
    return shapes, numbers, ask(projector.METADATA_ROUTE, name=name).decode()


def decoded(path: Path) -> tuple[list[np.ndarray], tuple[str, int, int, float, float]]:
    """Pictures and the first video stream's facts."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        seconds = container.duration / av.time_base
        facts = (stream.codec_context.name, stream.width, stream.height, float(stream.average_rate), seconds)
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], facts


@contextmanager
def offline(file: Path, chromium: str) -> Iterator[Page]:
    """A file in Chromium with the network off; nothing may be asked for but the file itself, and no script may fail."""
    asked, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1200, "height": 800})
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(file.as_uri())
        yield page
        browser.close()
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]
    assert errors == []
