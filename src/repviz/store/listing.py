"""What runs there are, and whether a run is complete."""

from pathlib import Path
from typing import Any

from repviz.errors import UserError
from repviz.store import artifacts, run_folder
from repviz.store.metrics_table import Row, read_metrics


def run_dirs(runs_dir: Path) -> list[Path]:
    """Folders in ``runs_dir`` that are runs, newest first (their names are times)."""
    if not runs_dir.is_dir():
        return []
    return sorted((p for p in runs_dir.iterdir() if run_folder.is_run(p)), key=lambda p: p.name, reverse=True)


def newest(runs_dir: Path) -> Path:
    """The newest run.

    Raises:
        UserError: there is none.
    """
    found = run_dirs(runs_dir)
    if not found:
        raise UserError(f"there is no run in {runs_dir}; 'repviz fit --config configs/concat.yaml' makes one")
    return found[0]


def named_or_newest(run_dir: Path | None, runs_dir: Path) -> Path:
    """``run_dir``, else the newest run in ``runs_dir``.

    Raises:
        UserError: it is not a run, or there is none.
    """
    if run_dir is None:
        return newest(runs_dir)
    if not run_folder.is_run(run_dir):
        raise UserError(f"{run_dir} is not a run: there is no {run_folder.RUN_FILE} in it")
    return run_dir


def best_row(rows: list[Row], monitor: str = "val_accuracy") -> Row:
    """The row with the highest ``monitor``, an empty one where it was never measured."""
    measured = [row for row in rows if monitor in row and row["epoch"] > 0]
    return max(measured, key=lambda row: row[monitor], default={})


def table(runs_dir: Path) -> str:
    """One line per run: state, epochs, best validation accuracy and macro F1, data."""
    found = run_dirs(runs_dir)
    if not found:
        return f"no runs in {runs_dir}; 'repviz fit --config configs/concat.yaml' makes one\n"
    lines = [("run", "state", "epochs", "val accuracy", "val F1", "data")]
    for run_dir in found:
        lines.append(_line(run_dir))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines)


def problems(run_dir: Path) -> list[str]:
    """What is wrong with a run's diagnostics: recorded errors, configured kinds without artifact; empty if nothing."""
    content = run_folder.read_run_file(run_dir)
    found = [] if content["state"] == "finished" else [f"{run_dir.name} is {content['state']}, not finished"]
    for kind in sorted({*content.get("kinds", []), *artifacts.kinds(run_dir)}):
        for epoch, error in artifacts.errors(run_dir, kind).items():
            found.append(f"{kind} failed at epoch {epoch}: {error.get('error')}: {error.get('message')}")
        error = artifacts.run_error(run_dir, kind)
        if error is not None:
            found.append(f"{kind} failed over the run: {error.get('error')}: {error.get('message')}")
        there = artifacts.epochs(run_dir, kind) or artifacts.has_run_artifact(run_dir, kind)
        if kind in content.get("kinds", []) and not there:
            found.append(f"{kind} is configured, but has no artifact")
    return found + _missing_epochs(run_dir, content)


def _missing_epochs(run_dir: Path, content: dict[str, Any]) -> list[str]:
    """Kinds that have not looked at an epoch that was due; of a run that was resumed the settings may have changed."""
    if content.get("continued_from"):
        return []
    seen = [int(row["epoch"]) for row in read_metrics(run_dir)]
    left_out = set(content.get("progress", {}).get("not_looked_at", []))
    found = []
    for kind, every in content.get("every_n_epochs", {}).items():
        known = left_out | set(artifacts.epochs(run_dir, kind)) | set(artifacts.errors(run_dir, kind))
        missing = [e for e in seen if (e % every == 0 or e == seen[-1]) and e not in known]
        if missing and len(missing) < len(seen):
            shown = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
            found.append(f"{kind} has not looked at epoch {shown}; 'repviz diagnose --run-dir {run_dir}' does it")
    return found


def _line(run_dir: Path) -> tuple[str, ...]:
    try:
        content: dict[str, Any] = run_folder.read_run_file(run_dir)
        rows = read_metrics(run_dir)
    except (OSError, ValueError) as error:
        return (run_dir.name, "damaged", "", "", "", str(error))
    best = best_row(rows)
    epoch = f"{rows[-1]['epoch'] if rows else 0}/{content.get('max_epochs', '?')}"
    scores = [f"{best[name]:.4f}" if name in best else "" for name in ("val_accuracy", "val_f1_macro")]
    return (run_dir.name, content["state"], epoch, *scores, content.get("data", {}).get("path", ""))
