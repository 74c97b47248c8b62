"""Sound that was filtered, of which there is nothing to be said."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Decoded


class SoundAnswers(Answers):
    """No words for sound."""

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def said(self, scores: np.ndarray, lengths: np.ndarray | None = None) -> list[Decoded]:
        """
        Shape:
            scores: (B, samples).
        """
        return [Decoded() for _ in scores]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        return Decoded()
