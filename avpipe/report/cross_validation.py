"""The page of a cross-validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avpipe.report.answers import ScoredAnswer
from avpipe.report.figures import folds_picture
from avpipe.report.page import flattened, write_page
from avpipe.report.sections import sections, tiles

DRAWN_FIRST = ("uar", "accuracy")
"""Of the metrics that all folds have, these are drawn; where there is none of them, the first."""


@dataclass(frozen=True, slots=True)
class FoldRow:
    """One fold."""

    name: str
    groups: Sequence[str]
    """That were tested."""
    num_examples: int
    metrics: Mapping[str, float]
    floor: Mapping[str, float] | None = None
    """The same metrics of what any model should beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidationReport:
    """What all folds answered, each example once and out of its fold."""

    title: str
    command: str
    settings: Mapping[str, Any]
    folds: Sequence[FoldRow]
    mean: Mapping[str, float]
    """Over folds, by metric."""
    sd: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    """95 %, by metric."""
    pooled: Mapping[str, float]
    """Over all answers together, ``ece`` and ``ece_uncalibrated`` among them."""
    answers: Sequence[ScoredAnswer]
    uncalibrated: Sequence[ScoredAnswer] | None = None
    threshold: float | None = None
    labels: Sequence[str]
    notes: Sequence[str] = ()


def write_cross_validation_report(path: Path, report: CrossValidationReport) -> Path:
    """Write the page of a cross-validation to ``path``; it reads no media."""
    metrics = list(dict.fromkeys(name for fold in report.folds for name in fold.metrics))
    floors = [fold.floor for fold in report.folds]
    drawn = [name for name in DRAWN_FIRST if name in metrics] or metrics[:1]
    folds = [fold.metrics for fold in report.folds]
    answers = report.answers if report.labels else ()
    content = {
        "report": report,
        "settings": flattened(report.settings),
        "metrics": metrics,
        "picture": folds_picture(folds, floors, report.intervals, drawn) if drawn else None,
        "tiles": tiles(report.pooled, report.intervals),
        "sections": sections(answers, report.uncalibrated, report.labels, report.threshold),
    }
    return write_page(path, "cross_validation.html", content)
