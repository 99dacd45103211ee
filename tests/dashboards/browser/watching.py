"""A page under watch, and what its maps show."""

import base64

import numpy as np
from playwright.sync_api import Page, expect

from tests.dashboards.synthetic_run import SyntheticRun

ARGUMENTS = [
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--ignore-gpu-blocklist", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--no-first-run", "--disable-default-apps", "--disable-domain-reliability"),
    # Only WebGL is drawn by SwiftShader, as a graphics card would: through it all else takes a third longer.
    *("--disable-gpu-rasterization", "--disable-accelerated-2d-canvas", "--disable-gpu-compositing"),
]
CHROMIUM_SAYS = "GPU stall due to ReadPixels"
"""Of WebGL that is drawn without a graphics card; no page can change it."""
PLOTLY_WARNS = ("willReadFrequently",)
"""What plotly's 3-D figures make Chromium say."""
SIZE = {"width": 1440, "height": 900}
SLOW = 60_000
"""Milliseconds: the machine may be busy; how fast things are is asked where it matters."""
expect.set_options(timeout=SLOW)


class Watched:
    """A page, and everything that it must not do."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.allowed: tuple[str, ...] = ()
        page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note)

    def _note(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, run: SyntheticRun | None = None, query: str = "") -> Page:
        wanted = [f"run={run.path.name}"] if run is not None else []
        self.page.goto(f"{self.address}/?{'&'.join([*wanted, *([query] if query else [])])}")
        self.page.wait_for_selector("html[data-repviz=ready]", timeout=SLOW)
        return self.page

    def unexpected(self) -> list[str]:
        known = (*self.allowed, CHROMIUM_SAYS)
        return [error for error in self.errors if not any(part in error for part in known)]


def state(page: Page, key: str):
    return page.evaluate(f"repviz.state.{key}")


def wait_for_maps(page: Page, epoch: int, layers: int = 6) -> None:
    """Until every map on the page has drawn ``epoch``."""
    page.wait_for_function(
        """([epoch, layers]) => {
            const maps = [...document.querySelectorAll('.map')].filter((map) => map.offsetParent);
            return maps.length === layers && maps.every((map) => map.dataset.epoch === String(epoch));
        }""",
        arg=[epoch, layers],
        timeout=SLOW,
    )


def drag(page: Page, layer: str, places: list[tuple[float, float]], *keys: str) -> None:
    """Drag over places of a map, given as shares of its width and height; returns when the selection has come."""
    box = page.locator(f'.map[data-layer="{layer}"]:visible canvas.points').bounding_box()
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    for key in keys:
        page.keyboard.down(key)
    page.mouse.move(*spots[0])
    page.mouse.down()
    page.mouse.move(spots[0][0] + 0.5, spots[0][1] + 0.5)  # the plot begins where the mouse first moves
    page.wait_for_timeout(15)
    for spot in spots[1:]:
        page.mouse.move(*spot)
        page.wait_for_timeout(15)  # the lasso takes a point every 10 ms
    page.wait_for_timeout(30)
    page.mouse.up()
    for key in keys:
        page.keyboard.up(key)


def pixels(page: Page, layer: str) -> np.ndarray:
    """What the canvas of a layer shows, ``(height, width, 4)``."""
    found = page.evaluate(
        """(layer) => {
            const maps = [...document.querySelectorAll(`.map[data-layer="${layer}"]`)];
            const canvas = maps.find((map) => map.offsetParent).querySelector('canvas.points');
            const { width, height } = canvas;
            const copy = Object.assign(document.createElement('canvas'), { width, height });
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const bytes = context.getImageData(0, 0, width, height).data;
            let text = '';
            for (let at = 0; at < bytes.length; at += 8192) {
                text += String.fromCharCode(...bytes.subarray(at, at + 8192));
            }
            return { width, height, data: btoa(text) };
        }""",
        layer,
    )
    return np.frombuffer(base64.b64decode(found["data"]), np.uint8).reshape(found["height"], found["width"], 4)


def colored(image: np.ndarray, color: str) -> int:
    """How many pixels have nearly this colour."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    opaque = image[..., 3] > 200
    return int((opaque & (np.abs(image[..., :3].astype(int) - rgb).max(axis=2) < 24)).sum())


def drawn(image: np.ndarray) -> int:
    return int((image[..., 3] > 0).sum())
