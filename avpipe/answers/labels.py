"""One label of several."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Decoded

UNKNOWN = "unknown"
"""What is said where the likeliest label is not likely enough."""


class LabelAnswers(Answers):
    """The likeliest label; a file's scores are the mean of its windows' probabilities, weighted by their seconds.

    Args:
        labels: in the order of the scores.
        threshold: an answer whose score is below it is ``unknown``; 0 refuses nothing.
    """

    def __init__(self, labels: Sequence[str], threshold: float = 0.0) -> None:
        self.labels = tuple(labels)
        self.threshold = threshold

    @property
    def settings(self) -> dict[str, Any]:
        return {"labels": list(self.labels), "threshold": self.threshold}

    def said(self, scores: np.ndarray, lengths: np.ndarray | None = None) -> list[Decoded]:
        """
        Shape:
            scores: (B, labels), probabilities.
        """
        return [self._answer(row) for row in scores.astype(np.float64)]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        probabilities = [[window.scores[label] for label in self.labels] for window in windows]
        return self._answer(np.average(probabilities, axis=0, weights=weights))

    def _answer(self, probabilities: np.ndarray) -> Decoded:
        scores = dict(zip(self.labels, probabilities.tolist(), strict=True))
        best = self.labels[int(probabilities.argmax())]
        return Decoded(best if scores[best] >= self.threshold else UNKNOWN, scores[best], scores)
