"""``metrics.json``, and the tables beside it."""

import csv
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

import avpipe
from avpipe.bundle import Origin
from avpipe.corpora import Split
from avpipe.files import write_text, written_whole
from avpipe.inference.answers import write_answers
from avpipe.inference.evaluate import Scores


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
        **({"decoding": scores.decoding} if scores.decoding else {}),
        "metrics": scores.metrics,
        "intervals": scores.intervals,
    }
    write_text(output, json.dumps(content, indent=2) + "\n")


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
    console.print(f"scores: {output}", soft_wrap=True, highlight=False)
