"""Scores of a bundle on a corpus, by the same way that prediction goes."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from avpipe.answers import Decoded, plain_text
from avpipe.bundle import Bundle
from avpipe.corpora import Corpus, Example, told
from avpipe.errors import ArgumentError, RunStopped, printable
from avpipe.inference.prediction import Job, Prediction, TaskAnswer
from avpipe.inference.predictor import Predictor
from avpipe.objectives import Enhancement, Objective, Transcription, bootstrap_interval, check_targets
from avpipe.progress import counted
from avpipe.report import ScoredAnswer

_SHOWN = 40
"""Characters of a transcript."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured."""

    answers: tuple[ScoredAnswer, ...]
    num_failed: int
    """Examples that could not be read or judged; they are not among the scored."""
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    """95 % intervals of the metrics, by a bootstrap over groups."""
    tables: dict[str, list[list[str | int]]]
    decoding: Mapping[str, Any] = field(default_factory=dict)
    """How the answers were found, where there is a choice."""
    senses: Mapping[str, "Scores"] = field(default_factory=dict)
    """Of a bundle of several senses, the scores of each by itself, on the examples that have it."""


class _Collector:
    def __init__(self) -> None:
        self.predictions: dict[int, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.predictions[int(prediction.path)] = prediction


def evaluate(bundle: Bundle, corpus: Corpus, examples: Sequence[Example], batch_size: int, workers: int) -> Scores:
    """Answer examples of a corpus and compare.

    Raises:
        ArgumentError: if the corpus has a label that the bundle does not know.
        RunStopped: if no example can be answered.
    """
    find = _filtered if isinstance(bundle.objective, Enhancement) else _labelled
    answers, reasons, alone = find(bundle, corpus, examples, batch_size, workers)
    for reason in reasons:
        print(f"warning: not scored: {reason}", file=sys.stderr)
    if not answers:
        raise RunStopped(bundle.name, "no example could be answered", "see the warnings above")
    num_failed, measured = len(examples) - len(answers), score(bundle.objective, answers)
    senses = {
        sense: Scores(tuple(each), len(examples) - len(each), *score(bundle.objective, each))
        for sense, each in alone.items()
    }
    return Scores(tuple(answers), num_failed, *measured, bundle.objective.decoding, senses)


Found = tuple[list[ScoredAnswer], list[str], dict[str, list[ScoredAnswer]]]
"""Answers, why there is none for the other examples, and what each of several senses would say alone."""


def _filtered(bundle: Bundle, corpus: Corpus, examples: Sequence[Example], batch_size: int, workers: int) -> Found:
    """What a filter makes of each example; it goes through one after the other."""
    from avpipe.inference.denoise.scores import score_recordings

    return *score_recordings(bundle, corpus, examples), {}


def _labelled(bundle: Bundle, corpus: Corpus, examples: Sequence[Example], batch_size: int, workers: int) -> Found:
    _check_labels(bundle, examples)
    check_targets(bundle.objective, [(example.path, example.target) for example in examples])
    _tell_foreign(bundle, examples)
    jobs = [
        Job(str(index), example.path, example.start_sec, example.end_sec, example.annotation)
        for index, example in enumerate(examples)
    ]
    collector = _Collector()
    Predictor([bundle], batch_size, workers).run(counted(jobs, len(jobs), "files"), collector)
    answers, reasons = [], []
    alone: dict[str, list[ScoredAnswer]] = {}
    for index, example in enumerate(examples):
        prediction = collector.predictions[index]
        if prediction.tasks:
            answer = prediction.tasks[bundle.name]
            answers.append(_scored(corpus, example, answer))
            for sense, said in answer.alone.items():
                alone.setdefault(sense, []).append(_scored(corpus, example, said))
        else:
            reasons.append(prediction.reason)
    return answers, reasons, dict(sorted(alone.items()))


Measured = tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, list[list[str | int]]]]


def score(objective: Objective, answers: Sequence[ScoredAnswer], draws: int = 1000) -> Measured:
    """Metrics, their intervals from ``draws`` resamples, and tables of answers."""
    measured = scorer_of(objective, answers)
    intervals = bootstrap_interval([answer.group for answer in answers], measured, draws) if draws else {}
    return measured(range(len(answers))), intervals, dict(objective.tables(*_said(answers)))


def scorer_of(objective: Objective, answers: Sequence[ScoredAnswer]) -> Callable[[Sequence[int]], dict[str, float]]:
    """A function that gives the metrics of some of the answers, by their places."""
    return objective.scorer(*_said(answers))


def _said(answers: Sequence[ScoredAnswer]) -> tuple[list[Decoded], list[str]]:
    said = [
        Decoded(answer.label, answer.score, dict(answer.scores), answer.label, embedding=answer.embedding)
        for answer in answers
    ]
    return said, [answer.target for answer in answers]


def _scored(corpus: Corpus, example: Example, answer: TaskAnswer | Decoded) -> ScoredAnswer:
    return ScoredAnswer(
        path=example.path,
        name=corpus.relative_path(example),
        start_sec=example.start_sec,
        end_sec=example.end_sec,
        group=example.group,
        target=str(example.target),
        label=_as_text(answer),
        score=0.0 if answer.score is None else answer.score,
        scores=answer.scores,
        embedding=answer.embedding,
    )


def _as_text(answer: TaskAnswer | Decoded) -> str:
    """A label, a transcript, or a list of transitions."""
    if isinstance(answer, TaskAnswer) and answer.boundaries is not None:
        return told(answer.boundaries)
    return str(answer.label if answer.text is None else answer.text)


def _tell_foreign(bundle: Bundle, examples: Sequence[Example]) -> None:
    """Warn of transcripts that hold what the bundle cannot write."""
    if not isinstance(bundle.objective, Transcription):
        return
    foreign = [(example, units) for example in examples if (units := bundle.objective.foreign(example.target))]
    if foreign:
        example, units = foreign[0]
        told = f"{len(foreign)} of {len(examples)} transcripts hold what {bundle.name} cannot write"
        shown = f"such as {min(units)!r} in {plain_text(str(example.target))[:_SHOWN]!r}"
        print(printable(f"warning: {told}, {shown}: it counts as errors"), file=sys.stderr)


def _check_labels(bundle: Bundle, examples: Sequence[Example]) -> None:
    labels = getattr(bundle.objective, "labels", None)
    foreign = sorted({str(example.target) for example in examples} - set(labels)) if labels is not None else []
    if foreign:
        remedy = f"its labels are: {', '.join(labels or ())}"
        raise ArgumentError(f"bundle={bundle.name}", f"does not know the corpus's label {foreign[0]!r}", remedy)
