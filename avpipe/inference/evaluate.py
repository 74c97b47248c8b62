"""Scores of a bundle on a corpus, by the same way that prediction goes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avpipe.bundle import Bundle
from avpipe.corpora import Example
from avpipe.errors import ArgumentError, RunStopped
from avpipe.inference.prediction import Job, Prediction
from avpipe.inference.predictor import Predictor
from avpipe.objectives import Decoded


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured."""

    num_examples: int
    num_failed: int
    """Examples that could not be read or judged; they are not among the scored."""
    metrics: dict[str, float]
    tables: dict[str, list[list[str | int]]]


class _Collector:
    def __init__(self) -> None:
        self.predictions: dict[int, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.predictions[int(prediction.path)] = prediction


def evaluate(bundle: Bundle, examples: Sequence[Example], batch_size: int = 16, workers: int = 0) -> Scores:
    """Answer every example and compare.

    Raises:
        ArgumentError: if the corpus has a label that the bundle does not know.
        RunStopped: if no example can be answered.
    """
    _check_labels(bundle, examples)
    jobs = [Job(str(index), example.path, example.start_sec, example.end_sec) for index, example in enumerate(examples)]
    collector = _Collector()
    Predictor([bundle], batch_size, workers).run(jobs, collector)
    answers: list[Decoded] = []
    targets: list[Any] = []
    for index, example in enumerate(examples):
        prediction = collector.predictions[index]
        if prediction.tasks:
            answer = prediction.tasks[bundle.name]
            answers.append(Decoded(answer.label, answer.score, dict(answer.scores), answer.text))
            targets.append(example.target)
        else:
            print(f"warning: not scored: {prediction.reason}", file=sys.stderr)
    if not answers:
        raise RunStopped(bundle.name, "no example could be answered", "see the warnings above")
    metrics = bundle.objective.metrics()
    bundle.objective.update(metrics, answers, targets)
    measured = {name: float(value) for name, value in metrics.compute().items()}
    tables = dict(bundle.objective.tables(answers, targets))
    return Scores(len(answers), len(examples) - len(answers), measured, tables)


def _check_labels(bundle: Bundle, examples: Sequence[Example]) -> None:
    labels = getattr(bundle.objective, "labels", None)
    foreign = sorted({str(example.target) for example in examples} - set(labels)) if labels is not None else []
    if foreign:
        remedy = f"its labels are: {', '.join(labels or ())}"
        raise ArgumentError(f"bundle={bundle.name}", f"does not know the corpus's label {foreign[0]!r}", remedy)
