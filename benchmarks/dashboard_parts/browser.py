"""What a headless Chromium says of a page: how long a step takes, what it costs the main thread, what it fetches.

WebGL is drawn by the processor here. For the work of the main thread the calls that draw are left out, which is what
a graphics card leaves of them; the work is the processor time of its tasks, so that other programs count little.
"""

import contextlib
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, sync_playwright

SOFTWARE_WEBGL = (
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--ignore-gpu-blocklist", "--disable-background-networking", "--disable-component-update"),
)
SIZE = {"width": 1440, "height": 900}
PATIENCE_MS = 120_000
_NO_DRAWING = """
for (const kind of [WebGLRenderingContext, WebGL2RenderingContext])
    for (const name of ['drawArrays', 'drawElements', 'drawArraysInstanced', 'drawElementsInstanced']) {
        const draw = kind.prototype[name];
        if (draw) kind.prototype[name] = function (...how) { if (!window.noDrawing) draw.apply(this, how); };
    }
const extension = WebGLRenderingContext.prototype.getExtension;
WebGLRenderingContext.prototype.getExtension = function (name) {
    const found = extension.call(this, name);
    for (const call of ['drawArraysInstancedANGLE', 'drawElementsInstancedANGLE']) {
        if (!found?.[call] || Object.hasOwn(found, call)) continue;
        const draw = found[call].bind(found);
        found[call] = (...how) => { if (!window.noDrawing) draw(...how); };
    }
    return found;
};
"""
_TIMED = """async (epoch) => {
    const began = performance.now();
    await (%s)(epoch);
    return performance.now() - began;
}"""


@dataclass
class Steps:
    """Steps through the epochs: until drawn and of main-thread work in milliseconds, and bytes of each step."""

    drawn: float
    work: float
    bytes: float


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; SystemExit where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("this needs Chromium: install it, so that `chromium` is on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(SOFTWARE_WEBGL))
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """A page of a browser that has seen nothing yet."""
    page = browser.new_context(viewport=SIZE).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(_NO_DRAWING)
    return page


def steps(page: Page, step: str, epochs: list[int], pause_ms: int) -> Steps:
    """Medians over steps to ``epochs``.

    Args:
        page: that shows another epoch.
        step: JavaScript of a function that goes to the epoch given, and promises that it is drawn.
        epochs: where to go, the first one to warm up.
        pause_ms: between two steps, as a person takes it; what is fetched meanwhile counts as well.
    """
    received = _Received(page)
    drawn, sizes, work = [], [], []
    for without_drawing in (False, True):
        page.evaluate(f"window.noDrawing = {str(without_drawing).lower()}")
        for number, epoch in enumerate(epochs):
            before, had = received.work(), received.bytes
            took = page.evaluate(_TIMED % step, epoch)
            spent = received.work() - before
            page.wait_for_timeout(pause_ms)
            if not number:
                continue
            if without_drawing:
                work.append(1000 * spent)
            else:
                drawn.append(took)
                sizes.append(received.bytes - had)
    page.evaluate("window.noDrawing = false")
    return Steps(statistics.median(drawn), statistics.median(work), statistics.median(sizes))


class _Received:
    """Bytes that the page has got, and seconds that its main thread has worked."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._session.send("Network.enable")
        self._session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict) -> None:
        self.bytes += event["encodedDataLength"]

    def work(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")
