"""What a sweep's jobs came to: ``sweep.json``, ``sweep.csv`` and ``sweep.html``, from the files they have written."""

import csv
import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from avpipe.config import target_of
from avpipe.files import write_text

DONE, FAILED, UNFINISHED = "done", "failed", "unfinished"

_RECORD = "job.json"
_RESULTS = ("cv.json", "leakage.json", "metrics.json")
_COSTS = ("parameters", "multiply_adds", "latency_ms", "windows_per_sec")


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One training of a sweep."""

    folder: Path

    @classmethod
    def all_in(cls, folder: Path) -> list["SweepJob"]:
        """Every job that was begun, in the order in which they were."""
        records = sorted(folder.glob(f"*/{_RECORD}"), key=lambda path: (_read(path).get("place", 0), path.parent.name))
        return [cls(path.parent) for path in records]

    def write(self, overrides: Sequence[str], status: str, reason: str) -> None:
        """Keep what the job is, and how it ended."""
        known = _read(self.folder / _RECORD)
        place = known.get("place", len(SweepJob.all_in(self.folder.parent)))
        content = {"place": place, "overrides": list(overrides), "status": status, "reason": reason}
        write_text(self.folder / _RECORD, json.dumps(content, indent=2) + "\n")

    @property
    def status(self) -> str:
        return str(_read(self.folder / _RECORD)["status"])

    @property
    def is_done(self) -> bool:
        return _read(self.folder / _RECORD).get("status") == DONE and bool(self.scores)

    @property
    def scores(self) -> dict[str, Any]:
        """``metrics`` and ``intervals`` of the test part; of folds their mean. Empty before the job has any."""
        for name in _RESULTS:
            if told := _read(self.folder / name):
                metrics = told.get("mean") or told.get("metrics") or told["group"]["metrics"]
                intervals = told.get("intervals") or (told["group"]["intervals"] if "group" in told else {})
                return {"metrics": metrics, "intervals": intervals, "split_sha256": told.get("split_sha256", "")}
        return {}

    @property
    def metric(self) -> tuple[str, bool]:
        """What validation is judged by, and whether less of it is better."""
        config = _read(next(self.folder.rglob("config.json"), self.folder / "config.json"))
        objective: Any = target_of(config["objective"]) if config else None
        return ("", False) if objective is None else (objective.best_metric, objective.best_is_least)

    def curves(self) -> list[list[float]]:
        """The validation score of each epoch, a list for each network of the job."""
        column = f"val/{self.metric[0]}"
        found = []
        for path in sorted(self.folder.rglob("history.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found.append([float(row[column]) for row in csv.DictReader(file) if row.get(column)])
        return [curve for curve in found if curve]

    @property
    def validation(self) -> float:
        """The validation score at the end, the mean over the job's networks: the more the better; minus infinity: none.

        What a search goes by: the test part is for the table alone.
        """
        curves = self.curves() if self.is_done else []
        if not curves:
            return -math.inf
        ends = statistics.fmean(curve[-1] for curve in curves)
        return -ends if self.metric[1] else ends

    def row(self) -> dict[str, Any]:
        """All of it as plain data."""
        told, cost = _read(self.folder / _RECORD), _read(self.folder / "cost.json")
        validation = self.validation
        speed = _read(next(self.folder.rglob("speed.json"), self.folder / "speed.json"))
        return {
            "name": self.folder.name,
            "overrides": dict(text.partition("=")[::2] for text in told["overrides"]),
            "status": told["status"],
            "reason": told["reason"],
            "validation": None if math.isinf(validation) else abs(validation),
            "metrics": {},
            "intervals": {},
            "split_sha256": "",
            **self.scores,
            "cost": {name: {**cost, **speed}.get(name) for name in _COSTS},
            "metric": self.metric[0],
            "less_is_better": self.metric[1],
        }


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_sweep(folder: Path, command: str) -> Path:
    """Write ``sweep.json``, ``sweep.csv`` and ``sweep.html`` of the jobs in a folder; returns the first of them."""
    from avpipe.report import SweepReport, write_sweep_report

    jobs = SweepJob.all_in(folder)
    rows = [job.row() for job in jobs]
    axes = axes_of(rows)
    output = folder / "sweep.json"
    best = best_by_axis(rows, axes)
    content = {"command": command, "axes": axes, "jobs": rows, "best": best}
    write_text(output, json.dumps(content, indent=2) + "\n")
    write_text(folder / "sweep.csv", _as_csv(rows, axes))
    curves = [next(iter(job.curves()), []) for job in jobs]
    report = SweepReport(command=command, axes=axes, rows=rows, best=best, curves=curves)
    write_sweep_report(folder / "sweep.html", report)
    return output


def axes_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The keys in which jobs differ, each with its values."""
    keys = dict.fromkeys(key for row in rows for key in row["overrides"])
    values = {key: list(dict.fromkeys(row["overrides"].get(key, "") for row in rows)) for key in keys}
    return {key: found for key, found in values.items() if len(found) > 1}


def best_by_axis(rows: Sequence[Mapping[str, Any]], axes: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """For each value of each axis the job that validates best."""
    best: dict[str, dict[str, Any]] = {}
    for key, values in axes.items():
        best[key] = {}
        for value in values:
            done = [row for row in rows if row["overrides"].get(key, "") == value and row["validation"] is not None]
            if done:
                chosen = max(done, key=lambda row: row["validation"] * (-1 if row["less_is_better"] else 1))
                best[key][value] = {"name": chosen["name"], "of": len(done), "validation": chosen["validation"]}
    return best


def _as_csv(rows: Sequence[Mapping[str, Any]], axes: Mapping[str, Sequence[str]]) -> str:
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    ends = [f"{name}_{end}" for name in metrics for end in ("low", "high")]
    writer.writerow(["name", *axes, "status", "reason", "validation", *metrics, *ends, *_COSTS])
    for row in rows:
        bounds = [value for name in metrics for value in row["intervals"].get(name, ("", ""))]
        values = [row["overrides"].get(key, "") for key in axes]
        scores = [row["metrics"].get(name, "") for name in metrics]
        told = [row["status"], row["reason"], "" if row["validation"] is None else row["validation"]]
        costs = ["" if row["cost"][name] is None else row["cost"][name] for name in _COSTS]
        writer.writerow([row["name"], *values, *told, *scores, *bounds, *costs])
    return text.getvalue()


def print_sweep(output: Path) -> None:
    """Print what ``sweep.json`` holds."""
    content = json.loads(output.read_text(encoding="utf-8"))
    rows = content["jobs"]
    shown = [
        name for name in ("accuracy", "uar", "wer", "eer", "si_sdr") if any(name in row["metrics"] for row in rows)
    ]
    table = Table("job", *content["axes"], "status", "validation", *shown)
    for row in rows:
        values = [row["overrides"].get(key, "") for key in content["axes"]]
        validation = "" if row["validation"] is None else f"{row['validation']:.4f}"
        table.add_row(row["name"], *values, row["status"], validation, *(_with_interval(row, name) for name in shown))
    console = Console(markup=False, emoji=False)
    # Of many axes nothing is left in eighty columns: the terminal may break the lines instead.
    console.width = max(console.width, console.measure(table, options=console.options.update(max_width=1000)).maximum)
    console.print(table)
    for row in rows:
        if row["reason"]:
            console.print(f"{row['name']}: {row['status']}: {row['reason']}", soft_wrap=True, highlight=False)
    console.print(f"sweep: {output.with_suffix('.html')}", soft_wrap=True, highlight=False)


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    if name not in row["metrics"]:
        return ""
    bounds = row["intervals"].get(name)
    return f"{row['metrics'][name]:.3f}" + (f" ({bounds[0]:.3f} - {bounds[1]:.3f})" if bounds else "")
