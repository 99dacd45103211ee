"""A page of one card, without the dashboard's styles and scripts: for who is not let in, or has gone astray."""

from base64 import b64encode
from pathlib import Path

from repviz.theme import DARK, FONT_FAMILY, LIGHT

_COLORS = "".join(
    f"--{name}: light-dark({getattr(LIGHT, name)}, {getattr(DARK, name)}); "
    for name in ("page", "surface", "text", "muted", "grid")
)
_ICON = b64encode((Path(__file__).parent / "assets" / "icon.svg").read_bytes()).decode()
"""In the page itself: who is not let in yet would be refused the file, and a browser asks for one unless it is told."""
_STYLE = f"""
:root {{ color-scheme: light dark; {_COLORS}}}
:root[data-mantine-color-scheme="light"] {{ color-scheme: light; }}
:root[data-mantine-color-scheme="dark"] {{ color-scheme: dark; }}
body {{ display: grid; place-items: center; min-height: 100vh; margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 {FONT_FAMILY}; }}
main {{ padding: 30px; border-radius: 14px; border: 1px solid var(--grid); background: var(--surface); }}
main, form {{ display: grid; gap: 14px; }}
h1, p {{ margin: 0; }}
h1 {{ font-size: 19px; }}
p {{ color: var(--muted); overflow-wrap: anywhere; }}
a, button {{ padding: 9px 14px; border: 0; border-radius: 8px; background: {LIGHT.accent}; color: {LIGHT.surface};
  font: inherit; font-weight: 600; text-decoration: none; cursor: pointer; }}
a {{ justify-self: start; }}
a:focus-visible, button:focus-visible {{ outline: 2px solid var(--text); outline-offset: 2px; }}
"""


def bare_page(title: str, card: str, head: str, width: int) -> str:
    """HTML of the page, in the colours that the system prefers, or that ``assets/scheme.js`` has set.

    It names no file itself.

    Args:
        title: what the browser's tab says after ``repviz``.
        card: HTML inside the card; links and buttons lead on.
        head: HTML at the end of the head.
        width: of the card in pixels, where the window is not narrower.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>repviz · {title}</title>
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,{_ICON}">
<style>{_STYLE}main {{ width: min({width}px, 80vw); }}
</style>
{head}
</head>
<body>
<main>
{card}
</main>
</body>
</html>
"""
