"""Counts over all records, for ``summary.json`` and for the terminal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from avpipe.inference.plan import Plan


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


MAX_BAD = 10
"""Files that cannot be read are told of by name, so many of them."""


def print_plan(plan: Plan) -> None:
    """Print what :func:`avpipe.inference.plan.make_plan` found."""
    console = Console(markup=False, emoji=False)
    table = Table("what", "how much", show_header=False)
    table.add_row("files", str(plan.num_files))
    table.add_row("answered before", str(plan.num_answered))
    table.add_row("cannot be read", str(len(plan.bad)))
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in plan.kinds.most_common())
    table.add_row("to answer", f"{plan.num_to_answer}{f' ({kinds})' if kinds else ''}")
    guessed = f" ({plan.num_guessed} files reckoned by their size)" if plan.num_guessed else ""
    table.add_row("length", f"{_duration(plan.seconds)}{guessed}")
    table.add_row("size", f"{plan.size_bytes / 1e6:.1f} MB")
    if plan.needed_sec is not None:
        start = f" ({_duration(plan.start_sec)} of it to begin)"
        table.add_row("time, about", f"{_duration(plan.needed_sec)}{start}")
        memory = "not told by this system" if plan.most_bytes is None else f"{plan.most_bytes / 1e6:.0f} MB"
        table.add_row("memory, about", memory)
        sampled = f"{plan.num_sampled} files, {_duration(plan.sampled_sec)} of media in {_duration(plan.took_sec)}"
        table.add_row("by a sample of", sampled)
    console.print(table)
    for reason in plan.bad[:MAX_BAD]:
        console.print(f"cannot be read: {reason}", soft_wrap=True, highlight=False)
    if len(plan.bad) > MAX_BAD:
        console.print(f"and {len(plan.bad) - MAX_BAD} more", highlight=False)
    console.print("nothing was written", highlight=False)


def _duration(seconds: float) -> str:
    """Seconds as a person says them."""
    for unit_sec, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * unit_sec:
            return f"{seconds / unit_sec:.1f} {name}"
    return f"{seconds:.1f} s"
