"""What is known of a run besides its numbers: configuration, versions, results, diagnostics, and what happened."""

from typing import Any

from repviz.dashboards.catalog import RunFiles
from repviz.store.results_table import COLUMNS

_FACTS = {
    "state": "state",
    "started": "started",
    "ended": "ended",
    "heartbeat": "last heartbeat",
    "host": "host",
    "pid": "process",
    "n_parameters": "parameters",
    "world_size": "processes",
    "monitor": "monitor",
    "continued_from": "continued from",
    "repviz_version": "repviz",
}
_LOG_BYTES = 60_000


def log_of(run: RunFiles) -> dict[str, Any]:
    """Everything that the page of configuration and log shows; ``problems`` names the files that cannot be read."""
    found: dict[str, Any] = {"problems": []}
    info = _read(found, "run.json", run.info, {})
    path = run.config_file()
    found["config"] = "" if path is None else _read(found, "config.yaml", lambda: path.read_text("utf-8"), "")
    found["facts"] = {name: str(info[key]) for key, name in _FACTS.items() if info.get(key) is not None}
    found["versions"] = {str(name): str(version) for name, version in (info.get("versions") or {}).items()}
    found["data"] = _flat_facts(info.get("data") or {})
    found["results"] = {"columns": list(COLUMNS), "rows": _read(found, "results.csv", lambda: _results(run), [])}
    found["diagnostics"] = _diagnostics(run, info)
    found["events"] = _events(run, info)
    found["background"] = run.tail_of("background.log", _LOG_BYTES)
    return found


def _read(found: dict[str, Any], name: str, read: Any, otherwise: Any) -> Any:
    try:
        return read()
    except (OSError, ValueError, KeyError) as error:
        found["problems"].append(f"{name} cannot be read: {error}")
        return otherwise


def _flat_facts(facts: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in facts.items():
        if isinstance(value, dict):
            found[str(name)] = ", ".join(f"{v} {k}" for k, v in value.items())
        else:
            found[str(name)] = str(value)
    return found


def _results(run: RunFiles) -> list[dict[str, Any]]:
    return [{"name": name, **values} for name, values in run.results().items()]


def _diagnostics(run: RunFiles, info: dict[str, Any]) -> list[dict[str, Any]]:
    """Per kind that is configured or there: how many epochs, the last one, and how many failed."""
    names = sorted({*run.kinds(), *(info.get("kinds") or [])})
    found = []
    for kind in names:
        epochs = list(run.files(kind))
        found.append(
            {
                "kind": kind,
                "configured": kind in (info.get("kinds") or []),
                "count": len(epochs),
                "last": epochs[-1] if epochs else None,
                "failed": len(run.errors(kind)),
            }
        )
    return found


def _events(run: RunFiles, info: dict[str, Any]) -> list[dict[str, Any]]:
    """What happened, newest first."""
    events = [{"time": info.get("started"), "level": "info", "text": "training started", "details": ""}]
    for kind in run.kinds():
        for epoch, error in run.errors(kind).items():
            where = "for the whole run" if epoch is None else f"at epoch {epoch}"
            text = f"{kind} failed {where}: {error.get('error', '')}: {error.get('message', '')}"
            details = str(error.get("details", ""))
            events.append({"time": error.get("created"), "level": "error", "text": text, "details": details})
    state = info.get("state")
    if info.get("error"):
        text = f"training failed: {info['error']}"
        events.append(
            {"time": info.get("ended"), "level": "error", "text": text, "details": str(info.get("details", ""))}
        )
    elif info.get("ended"):
        events.append({"time": info["ended"], "level": "info", "text": f"training ended: {state}", "details": ""})
    elif state == "killed":
        text = "the process is gone; this was its last heartbeat"
        events.append({"time": info.get("heartbeat"), "level": "error", "text": text, "details": ""})
    return sorted(events, key=lambda event: str(event["time"] or ""), reverse=True)
