"""What a keyboard and a screen reader would stumble over: axe-core's rules, and controls that only a mouse reaches."""

from axe_playwright_python.sync_playwright import Axe

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}
IN_A_DIALOG = RULES | {"rules": {"landmark-no-duplicate-banner": {"enabled": False}}}
"""Mantine's dialogs have a header of their own."""
PLOTLY = ".js-plotly-plot"
"""Its legends and axes cannot be reached by keyboard; what it draws, the card saves as numbers."""
MOUSE_ONLY = f"""() => {{
    const focusable = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";
    const reached = (element) => element.closest(focusable) || element.querySelector(focusable)
        || element.closest("label")?.control || element.closest("tr")?.querySelector(focusable)
        || element.closest("{PLOTLY}") || element.closest("[role=option]");
    return [...document.querySelectorAll("body *")]
        .filter((element) => element.checkVisibility() && getComputedStyle(element).cursor === "pointer")
        .filter((element) => !reached(element)).map((element) => element.outerHTML.slice(0, 120));
}}"""


class Findings(dict):
    """What is wrong, and where it was seen."""

    def look(self, page, where, dialog=None):
        context = dialog or {"exclude": [[f"{PLOTLY} .svg-container"]]}
        for violation in Axe().run(page, context, IN_A_DIALOG if dialog else RULES).response["violations"]:
            for node in violation["nodes"]:
                why = node["failureSummary"].splitlines()[-1].strip()
                self.setdefault((violation["id"], node["html"][:160], why[:160]), []).append(where)
        for element in page.evaluate(MOUSE_ONLY):
            self.setdefault(("mouse only", element), []).append(where)

    def __str__(self):
        return "\n".join(f"{' | '.join(key)}: {', '.join(where)}" for key, where in sorted(self.items()))
