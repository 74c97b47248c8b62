"""What every kind of output offers to whoever answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from avpipe.answers.decoded import Decoded


class Answers(ABC):
    """What is made of a network's scores, whatever has computed them: answers for windows, and for files.

    Objectives are such that have learned; an exported graph carries :attr:`settings`, from which the same answers come
    without torch.
    """

    edge_silence_sec: float = 0.0
    """Of silence, at the least, between which a recording is heard, in training and in prediction."""

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How answers are found, as plain data; empty where there is but one way."""
        return {}

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments of the constructor that makes the same answers, as plain data."""

    @abstractmethod
    def said(self, scores: np.ndarray, lengths: np.ndarray | None) -> list[Decoded]:
        """An answer for each item of a batch.

        Args:
            scores: (B, ...), by kind.
            lengths: (B,), steps of each item where there is one score a step.
        """

    @abstractmethod
    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One answer for a file from those for its windows; ``weights`` are their true seconds."""

    def finished(self, combined: Decoded) -> Decoded:
        """The answer for a file, when all of its windows are combined."""
        return combined
