"""Several trainings of one task, scored together: ``cv.json`` and its table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from avpipe.files import write_text
from avpipe.inference.answers import read_answers
from avpipe.inference.evaluate import score
from avpipe.objectives import Objective
from avpipe.report import ScoredAnswer


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """One training of several, and what it scored on its own test part."""

    folder: Path

    @property
    def scores(self) -> dict[str, Any]:
        """The content of its ``metrics.json``."""
        return dict(json.loads((self.folder / "metrics.json").read_text(encoding="utf-8")))

    @property
    def answers(self) -> list[ScoredAnswer]:
        return read_answers(self.folder / "answers.csv")

    @property
    def uncalibrated(self) -> list[ScoredAnswer]:
        """None where there is no temperature to calibrate by."""
        path = self.folder / "uncalibrated.csv"
        return read_answers(path) if path.is_file() else []


def write_pooled(output: Path, runs: Sequence[ScoredRun], objective: Objective, sha256: str) -> None:
    """Write ``cv.json``: mean, standard deviation and each run; the pooled answers' metrics and their intervals.

    Nothing is pooled where answers of two networks cannot be compared.

    Args:
        output: to write.
        runs: to pool, each with its scores.
        objective: of any of them.
        sha256: of all the examples, as one side of a split.
    """
    told = [run.scores for run in runs]
    # Of several seeds a recording has several answers: they are drawn together, as one group's are.
    answers = [replace(answer, group=answer.group or answer.name) for run in runs for answer in run.answers]
    pooled, intervals, _ = score(objective, answers) if objective.is_comparable else ({}, {}, {})
    if "ece" in pooled:
        uncalibrated, _, _ = score(objective, [answer for run in runs for answer in run.uncalibrated], draws=0)
        pooled["ece_uncalibrated"] = uncalibrated["ece"]
    content = {
        **{key: told[0][key] for key in ("task", "corpus", "avpipe_version")},
        "corpus_sha256": sha256,
        "num_examples": len({(answer.name, answer.start_sec, answer.end_sec) for answer in answers}),
        "num_answers": len(answers),
        "mean": _over(told, statistics.fmean),
        "sd": _over(told, statistics.stdev),
        "pooled": pooled,
        "intervals": intervals,
        "folds": [_fold(run, scores) for run, scores in zip(runs, told, strict=True)],
    }
    write_text(output, json.dumps(content, indent=2) + "\n")


def _over(told: Sequence[Mapping[str, Any]], statistic: Any) -> dict[str, float]:
    return {name: statistic([scores["metrics"][name] for scores in told]) for name in told[0]["metrics"]}


def _fold(run: ScoredRun, scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": run.folder.name,
        "seed": scores["seed"],
        "split_sha256": scores["split_sha256"],
        "groups": sorted({answer.group for answer in run.answers} - {""}),
        "num_examples": scores["num_examples"],
        "num_failed": scores["num_failed"],
        "metrics": scores["metrics"],
    }


def read_pooled(output: Path) -> dict[str, float]:
    """The metrics of all answers together."""
    return dict(json.loads(output.read_text(encoding="utf-8"))["pooled"])


def print_pooled(output: Path) -> None:
    """Print what ``cv.json`` holds."""
    content = json.loads(output.read_text(encoding="utf-8"))
    # Those that fit on a terminal; the others stand in the file.
    names = [name for name in content["mean"] if name not in ("f1", "top5", "ece_uncalibrated")]
    table = Table(f"{content['task']} on {content['corpus']}", "examples", *names)
    for fold in content["folds"]:
        values = (f"{fold['metrics'][name]:.4f}" for name in names)
        table.add_row(fold["name"], str(fold["num_examples"]), *values)
    table.add_section()
    for row in ("mean", "sd", *(["pooled"] if content["pooled"] else [])):
        count = str(content["num_answers"]) if row == "pooled" else ""
        table.add_row(row, count, *(f"{content[row][name]:.4f}" for name in names))
    spans = (
        "{:.3f} - {:.3f}".format(*content["intervals"][name]) if name in content["intervals"] else "" for name in names
    )
    table.add_row("95 % interval", "", *spans)
    console = Console(markup=False, emoji=False)
    console.print(table)
    console.print(f"scores: {output}", soft_wrap=True, highlight=False)
