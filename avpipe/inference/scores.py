"""``metrics.json``, and the tables beside it."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import avpipe
from avpipe.bundle import Origin
from avpipe.corpora import Split
from avpipe.files import write_text, written_whole
from avpipe.inference.answers import write_answers
from avpipe.inference.evaluate import Scores
from avpipe.report import told_groups

BOTH = "both"
"""Column of the answers by all senses together."""

FEW_GROUPS = 10
"""Below so many, a bootstrap's interval is markedly too short."""


def write_scores(output: Path, origin: Origin, split: Split, part: str, corpus: str, scores: Scores) -> None:
    """Write ``output``, and beside it ``answers.csv`` and each table of ``scores`` as CSV.

    Args:
        output: ``metrics.json``.
        origin: of the bundle.
        split: of the corpus that was scored.
        part: of the split that was scored.
        corpus: its name.
        scores: what was measured.
    """
    write_answers(output.with_name("answers.csv"), scores.answers)
    for sense, alone in scores.senses.items():
        write_answers(output.with_name(f"answers_{sense}.csv"), alone.answers)
    for table, rows in scores.tables.items():
        with (
            written_whole(output.with_name(f"{table}.csv")) as beside,
            beside.open("w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows(rows)
    content = {
        "task": origin.task,
        "corpus": corpus,
        "split": part,
        "split_sha256": split.sha256,
        "seed": origin.seed,
        "avpipe_version": avpipe.__version__,
        "num_examples": len(scores.answers),
        "num_failed": scores.num_failed,
        "num_groups": len({answer.group or place for place, answer in enumerate(scores.answers)}),
        "num_ungrouped": sum(not answer.group for answer in scores.answers),
        **({"decoding": scores.decoding} if scores.decoding else {}),
        "metrics": scores.metrics,
        "intervals": scores.intervals,
        **({"senses": _columns(scores)} if scores.senses else {}),
    }
    write_text(output, json.dumps(content, indent=2) + "\n")


def _columns(scores: Scores) -> dict[str, Any]:
    """What ``metrics.json`` tells of each sense by itself, and of all together."""
    return {
        sense: {"num_examples": len(each.answers), "metrics": each.metrics, "intervals": each.intervals}
        for sense, each in {**scores.senses, BOTH: scores}.items()
    }


def print_scores(output: Path) -> None:
    """Print what ``metrics.json`` holds."""
    content = json.loads(output.read_text(encoding="utf-8"))
    table = Table("metric", f"{content['task']} on {content['corpus']}, {content['split']}", "95 % interval")
    table.add_row("examples", str(content["num_examples"]), "")
    for name, value in content["metrics"].items():
        low, high = content["intervals"].get(name, (None, None))
        table.add_row(name, f"{value:.4f}", "" if low is None else f"{low:.4f} - {high:.4f}")
    console = Console(markup=False, emoji=False)
    console.print(table)
    if columns := content.get("senses"):
        console.print(_table_of_senses(columns))
    for line in few_groups(content):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"scores: {output}", soft_wrap=True, highlight=False)


def few_groups(content: Mapping[str, Any]) -> list[str]:
    """What to bear in mind of the intervals in ``metrics.json``; nothing where groups are enough."""
    number, ungrouped = content["num_groups"], content.get("num_ungrouped", 0)
    if number >= FEW_GROUPS:
        return []
    if number < 2:
        what = "there is one example" if ungrouped else "all examples are of one group"
        return [f"no intervals: {what}, which tells nothing about others"]
    told = told_groups(number - ungrouped, ungrouped)
    return [f"the intervals stand on {told} only: the truth lies outside them more often than told"]


def _table_of_senses(columns: Mapping[str, Any]) -> Table:
    table = Table("by sense", *columns)
    table.add_row("examples", *(str(column["num_examples"]) for column in columns.values()))
    for name in columns[BOTH]["metrics"]:
        table.add_row(name, *(_value(column, name) for column in columns.values()))
    return table


def _value(column: Mapping[str, Any], name: str) -> str:
    return f"{column['metrics'][name]:.4f}" if name in column["metrics"] else ""
