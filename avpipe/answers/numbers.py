"""A number on a scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Decoded


class ScoreAnswers(Answers):
    """The number, within the scale, and the nearest whole step of it; of a file the mean of its windows'.

    Args:
        low: end of the scale.
        high: the other end.
    """

    def __init__(self, low: float, high: float) -> None:
        self.low = float(low)
        self.high = float(high)

    @property
    def settings(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}

    def said(self, scores: np.ndarray, lengths: np.ndarray | None = None) -> list[Decoded]:
        """
        Shape:
            scores: (B, 1).
        """
        return [self._answer(float(value)) for value in scores[:, 0]]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        return self._answer(float(np.average([window.score or 0.0 for window in windows], weights=weights)))

    def _answer(self, value: float) -> Decoded:
        score = min(max(value, self.low), self.high)
        return Decoded(label=str(round(score)), score=score)
