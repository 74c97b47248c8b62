"""The pages of trainings, cross-validations and evaluations, from the files that these have written."""

import copy
import csv
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avpipe.bundle import Bundle, load_bundle
from avpipe.inference.answers import read_answers
from avpipe.inference.grad_cam import GradCam
from avpipe.inference.pooled import ScoredRun
from avpipe.inference.scores import few_groups
from avpipe.objectives import Transcription
from avpipe.report import (
    CrossValidationReport,
    EvaluationReport,
    FoldRow,
    TrainingReport,
    explained,
    write_cross_validation_report,
    write_evaluation_report,
    write_training_report,
)


def write_training_page(folder: Path) -> None:
    """Write ``report.html`` of a finished and scored training into its folder."""
    bundle = load_bundle(folder / "bundle")
    with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
        history = [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
    told = _scores(folder / "metrics.json", bundle)
    warned = (folder / "warnings.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    report = TrainingReport(
        **{**told, "notes": [*warned, *told["notes"]]},
        command=bundle.origin.command,
        settings=json.loads((folder / "config.json").read_text(encoding="utf-8")),
        history=history,
    )
    write_training_report(folder / "report.html", report)


def write_evaluation_page(output: Path, bundle: Bundle, settings: Mapping[str, Any], num_explained: int = 0) -> None:
    """Write ``report.html`` beside the ``metrics.json`` of an evaluation.

    Args:
        output: ``metrics.json``.
        bundle: that was scored.
        settings: of the command.
        num_explained: of the worst and of the best answers, to be shown with what spoke for them.
    """
    told = _scores(output, bundle)
    if num_explained:
        preprocessor = copy.deepcopy(bundle.preprocessor).cpu()
        told["explained"] = explained(told["answers"], preprocessor, GradCam(bundle), num_explained)
    command = shlex.join(["avpipe", "evaluate", *sys.argv[1:]])
    report = EvaluationReport(**told, command=command, settings=settings)
    write_evaluation_report(output.with_name("report.html"), report)


def _scores(output: Path, bundle: Bundle) -> dict[str, Any]:
    """What the pages of a training and of an evaluation have in common."""
    told = json.loads(output.read_text(encoding="utf-8"))
    uncalibrated = output.with_name("uncalibrated.csv")
    objective = bundle.objective
    labels = getattr(objective, "labels", ())
    is_calibrated = getattr(objective, "temperature", 1.0) != 1.0
    return {
        "title": f"{told['task']} on {told['corpus']}",
        "metrics": told["metrics"],
        "intervals": {name: (low, high) for name, (low, high) in told["intervals"].items()},
        "senses": {sense: column["metrics"] for sense, column in told.get("senses", {}).items()},
        "part": told["split"],
        "answers": read_answers(output.with_name("answers.csv")),
        "uncalibrated": read_answers(uncalibrated) if uncalibrated.is_file() and is_calibrated else None,
        "temperature": getattr(objective, "temperature", None) if is_calibrated else None,
        "threshold": (getattr(objective, "threshold", None) or None) if labels else None,
        "labels": labels,
        "texts": isinstance(objective, Transcription),
        "preprocessor": bundle.preprocessor,
        "notes": few_groups(told),
    }


def write_pooled_page(output: Path) -> None:
    """Write ``report.html`` beside ``cv.json``."""
    told = json.loads(output.read_text(encoding="utf-8"))
    runs = [ScoredRun(output.parent / fold["name"]) for fold in told["folds"]]
    objective = load_bundle(runs[0].folder / "bundle").objective
    uncalibrated = [answer for run in runs for answer in run.uncalibrated]
    report = CrossValidationReport(
        title=f"{told['task']} on {told['corpus']}",
        command=shlex.join(["avpipe", "train", *sys.argv[1:]]),
        settings=json.loads(output.with_name("config.json").read_text(encoding="utf-8")),
        folds=[_row(fold) for fold in told["folds"]],
        mean=told["mean"],
        sd=told["sd"],
        intervals={name: (low, high) for name, (low, high) in told["intervals"].items()},
        pooled=told["pooled"],
        answers=[answer for run in runs for answer in run.answers],
        uncalibrated=uncalibrated or None,
        labels=getattr(objective, "labels", ()),
    )
    write_cross_validation_report(output.with_name("report.html"), report)


def _row(fold: Mapping[str, Any]) -> FoldRow:
    return FoldRow(fold["name"], fold["groups"], fold["num_examples"], fold["metrics"])
