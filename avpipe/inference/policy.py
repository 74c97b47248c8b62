"""Which answers are given, and how much is told of them."""

import math
from dataclasses import dataclass, replace
from typing import Any

from avpipe.answers import UNKNOWN
from avpipe.errors import ArgumentError
from avpipe.inference.prediction import Prediction, TaskAnswer
from avpipe.inference.predictor import Sink
from avpipe.media import Coverage


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of an answer besides the bundle's own threshold.

    Raises:
        ArgumentError: for a value out of its range.
    """

    min_coverage: float = 0.0
    """From 0 to 1: of a file of which a smaller part could be decoded nothing is said."""
    min_score: float = 0.0
    """From 0 to 1: a label with a lower score is ``unknown``; numbers, as of a regression, are told in any case."""
    top_k: int | None = None
    """So many scores are told, the highest; None: all."""

    def __post_init__(self) -> None:
        for name in ("min_coverage", "min_score"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ArgumentError(f"{name}={getattr(self, name)}", "must lie from 0 to 1")
        if self.top_k is not None and self.top_k < 1:
            raise ArgumentError(f"top_k={self.top_k}", "must be at least 1", "null tells all scores")

    @property
    def told(self) -> dict[str, Any]:
        """What of it is asked for, as plain data."""
        asked = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in asked.items() if value}

    def __call__(self, prediction: Prediction) -> Prediction:
        """The prediction as it is to be told."""
        if prediction.tasks and (reason := self._uncovered(prediction.coverage)):
            lines = [reason, *([prediction.reason] if prediction.reason else [])]
            return replace(prediction, status="abstained", reason="; ".join(lines), tasks={})
        return replace(prediction, tasks={name: self._answer(answer) for name, answer in prediction.tasks.items()})

    def _uncovered(self, coverage: Coverage | None) -> str:
        """Why too little was decoded; empty where it was enough."""
        if coverage is None:
            return ""
        frames = coverage.frames_decoded + coverage.frames_lost
        parts = {
            "of its seconds": coverage.decoded_sec / coverage.asked_sec if coverage.asked_sec > 0 else 1.0,
            "of its frames": coverage.frames_decoded / frames if frames else 1.0,
        }
        what, part = min(parts.items(), key=lambda pair: pair[1])
        if part >= self.min_coverage:
            return ""
        return f"{math.floor(1000 * part) / 10:g} % {what} could be decoded, and min_coverage={self.min_coverage:g}"

    def _answer(self, answer: TaskAnswer) -> TaskAnswer:
        if not answer.scores:  # text, shots, a number: its score is no likelihood of its label
            return answer
        windows = tuple(replace(each, label=self._label(each.label, each.score)) for each in answer.windows)
        scores = dict(sorted(answer.scores.items(), key=lambda pair: -pair[1])[: self.top_k])
        kept = {name: score for name, score in answer.scores.items() if name in scores}
        return replace(answer, label=self._label(answer.label, answer.score), scores=kept, windows=windows)

    def _label(self, label: str | None, score: float | None) -> str | None:
        return label if label is None or score is None or score >= self.min_score else UNKNOWN


@dataclass(frozen=True, slots=True)
class Told:
    """Hands predictions on as a policy has them told."""

    sink: Sink
    policy: Policy

    def add(self, prediction: Prediction) -> None:
        self.sink.add(self.policy(prediction))
