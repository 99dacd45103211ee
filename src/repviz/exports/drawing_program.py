"""The program that draws a run's figures beside training: ``python -m repviz.exports.drawing_program``, started by
``Drawing`` and by nobody else.

What is to be drawn comes as a line of JSON on standard input. When the input ends before all is drawn, nobody waits
for it any more, and the program ends at once.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repviz.exports.images import Render
    from repviz.exports.pictures import Picture

MANIFEST = "drawn.jsonl"
"""A line for each figure that is drawn, and for each thing that went wrong, as it happens."""


def main() -> None:
    """Draw what the first line of standard input asks for."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for training, which ends us
        signal.signal(number, signal.SIG_IGN)
    request = json.loads(sys.stdin.readline())
    os.nice(request["nice"])
    sys.path[:] = request["sys_path"]
    threading.Thread(target=_listen, args=(Path(request["out"]),), daemon=True).start()
    asyncio.run(_draw(request))


async def _draw(request: dict[str, Any]) -> None:
    from repviz.errors import UserError
    from repviz.exports.images import browser
    from repviz.exports.pictures import at_epoch, of_whole_run
    from repviz.figures.view import View
    from repviz.run import open_run

    out, run, view = Path(request["out"]), open_run(request["run_dir"]), View(theme=request["theme"])
    async with AsyncExitStack() as stack:
        render = None
        if request["images"]:
            try:
                render = await stack.enter_async_context(browser())
            except UserError as error:
                _note(out, no_images=str(error))
                if not request["figures"]:
                    return
        for kind, epoch in request["wanted"]:
            try:
                picture = of_whole_run(run, kind, view) if epoch is None else at_epoch(run, kind, epoch, view)
                await _write(picture, out, render)
            except Exception as error:  # one that cannot be drawn leaves the others
                _note(out, kind=kind, problem=f"{type(error).__name__}: {error}")


async def _write(picture: "Picture", out: Path, render: "Render | None") -> None:
    (out / f"{picture.name}.json").write_text(picture.figure.to_json(), encoding="utf-8")
    try:
        if render is not None:
            (out / f"{picture.name}.png").write_bytes(await render(picture.figure, "png", 1))
    finally:
        _note(out, kind=picture.kind, epoch=picture.epoch, name=picture.name)


def _note(out: Path, **what: Any) -> None:
    with (out / MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write(json.dumps(what) + "\n")


def _listen(out: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(out, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
