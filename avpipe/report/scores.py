"""The pages of a training and of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avpipe.features import Preprocessor
from avpipe.report.answers import ScoredAnswer
from avpipe.report.exhibits import Exhibit, worst_errors
from avpipe.report.figures import history_pictures
from avpipe.report.measures import measures_of
from avpipe.report.page import flattened, write_page
from avpipe.report.sections import sections, tiles
from avpipe.report.transcripts import transcripts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """What a bundle was asked and answered, as the page tells it."""

    title: str
    command: str
    settings: Mapping[str, Any]
    """Nested plain data."""
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    """Of some of the metrics: 95 %, by bootstrap."""
    senses: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of a bundle of several, the metrics of each sense alone, and of all, by their names."""
    part: str
    """Of the split that was scored: ``test``."""
    answers: Sequence[ScoredAnswer]
    uncalibrated: Sequence[ScoredAnswer] | None = None
    """The same examples with the scores as the network gives them; None where nothing was calibrated."""
    temperature: float | None = None
    """What the logits were divided by."""
    threshold: float | None = None
    """Below it an answer is refused; None: all are given."""
    labels: Sequence[str]
    """None: the scores of the answers are measures, and nothing was told apart."""
    preprocessor: Preprocessor | None
    """Draws the worst errors as the network sees them; None draws none."""
    notes: Sequence[str] = ()
    """Warnings to the reader."""
    texts: bool = False
    """Whether the answers are transcripts."""
    explained: Sequence[Exhibit] = ()
    """Answers with what spoke for them, where that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport(EvaluationReport):
    """What a training went through, besides."""

    history: Sequence[Mapping[str, float]]
    """A row an epoch: ``epoch``, ``train/loss``, ``val/uar``, ..."""


def write_evaluation_report(path: Path, report: EvaluationReport) -> Path:
    """Write the page of an evaluation to ``path``; files that can no longer be read are told in it."""
    return write_page(path, "scores.html", _content(report))


def write_training_report(path: Path, report: TrainingReport) -> Path:
    """Write the page of a training to ``path``; files that can no longer be read are told in it."""
    curves = history_pictures(report.history) if report.history else []
    return write_page(path, "scores.html", {**_content(report), "curves": curves, "epochs": len(report.history)})


def _content(report: EvaluationReport) -> dict[str, Any]:
    answers = report.answers if report.labels else ()
    return {
        "report": report,
        "measures": None if report.labels else measures_of(report.answers),
        "transcripts": transcripts_of(report.answers) if report.texts else None,
        "settings": flattened(report.settings),
        "tiles": tiles(report.metrics, report.intervals),
        "sections": sections(answers, report.uncalibrated, report.labels, report.threshold),
        "exhibits": worst_errors(answers, report.preprocessor),
        "curves": [],
        "epochs": 0,
    }
