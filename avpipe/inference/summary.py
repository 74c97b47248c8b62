"""Counts over all records, for ``summary.json`` and for the terminal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def summarise(records: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Files by status, seconds, labels by task, and what is noted of answers that are ``ok``, besides the settings."""
    statuses: Counter[str] = Counter()
    num_noted, first_note = 0, ""
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds = {"asked_sec": 0.0, "lost_sec": 0.0}
    for record in records:
        statuses[record["status"]] += 1
        if record["status"] == "ok" and record["reason"]:
            num_noted, first_note = num_noted + 1, first_note or record["reason"]
        for name in seconds:
            seconds[name] += (record["coverage"] or {}).get(name, 0.0)
        for task, answer in record["tasks"].items():
            labels[task][_counted_as(answer)] += 1
    return {
        **settings,
        "num_files": sum(statuses.values()),
        "statuses": dict(sorted(statuses.items())),
        "notes": {"num_ok": num_noted, "first": first_note},
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "labels": {task: dict(sorted(counts.items())) for task, counts in sorted(labels.items())},
    }


def _counted_as(answer: Mapping[str, Any]) -> str:
    """A label, or what the answer is instead."""
    if answer["label"] is not None:
        return str(answer["label"])
    if "embedding" in answer:
        return "(embedding)"
    if "shots" in answer:
        return "(shots)"
    return "(no speech)" if answer["text"] == "" else "(text)"


def print_summary(totals: Mapping[str, Any], num_kept: int, output: Path) -> None:
    """Print what :func:`summarise` found.

    Args:
        totals: as :func:`summarise` returns them.
        num_kept: files whose answers stood in the journal already.
        output: folder of the answers.
    """
    console = Console(markup=False, emoji=False)
    table = Table("task", "label", "files")
    for task, counts in totals["labels"].items():
        for label, count in counts.items():
            table.add_row(task, label, str(count))
    console.print(table)
    statuses = ", ".join(f"{count} {status}" for status, count in totals["statuses"].items())
    kept = f" ({num_kept} answered before)" if num_kept else ""
    console.print(f"{totals['num_files']} files: {statuses}{kept}", highlight=False)
    if number := totals["notes"]["num_ok"]:
        told = f"{number} of the ok answers carry a note, the first: {totals['notes']['first']}"
        console.print(f"{told} (each: reason in {output / 'report.html'})", soft_wrap=True, highlight=False)
    console.print(f"answers: {output}", soft_wrap=True, highlight=False)
