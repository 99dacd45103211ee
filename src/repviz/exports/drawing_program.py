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
from pathlib import Path
from typing import Any

MANIFEST = "drawn.json"
"""Written last: names of what was drawn by kind and epoch, and what went wrong."""


def main() -> None:
    """Draw what the first line of standard input asks for."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for training, which ends us
        signal.signal(number, signal.SIG_IGN)
    request = json.loads(sys.stdin.readline())
    os.nice(request["nice"])
    sys.path[:] = request["sys_path"]
    threading.Thread(target=_listen, args=(Path(request["out"]),), daemon=True).start()
    _draw(request)


def _draw(request: dict[str, Any]) -> None:
    from repviz.exports.pictures import at_epoch, of_whole_run
    from repviz.figures.view import View
    from repviz.run import open_run

    out, run, view = Path(request["out"]), open_run(request["run_dir"]), View(theme=request["theme"])
    drawn, problems = [], {}
    for kind, epoch in request["wanted"]:
        try:
            drawn.append(of_whole_run(run, kind, view) if epoch is None else at_epoch(run, kind, epoch, view))
        except Exception as error:  # one kind that cannot be drawn leaves the others
            problems[kind] = f"{type(error).__name__}: {error}"
    for picture in drawn:
        (out / f"{picture.name}.json").write_text(picture.figure.to_json(), encoding="utf-8")
    if request["images"] and drawn:
        try:
            asyncio.run(_render(drawn, out))
        except Exception as error:
            problems["images"] = str(error)
    names = [[picture.kind, picture.epoch, picture.name] for picture in drawn]
    (out / MANIFEST).write_text(json.dumps({"names": names, "problems": problems}), encoding="utf-8")


async def _render(drawn: list, out: Path) -> None:
    from repviz.exports.images import rendered

    names = iter(drawn)
    async for content in rendered([(picture.figure, "png") for picture in drawn], scale=1):
        (out / f"{next(names).name}.png").write_bytes(content)


def _listen(out: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(out, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
