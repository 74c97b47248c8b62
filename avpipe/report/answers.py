"""One answer beside the truth: what every page of scores is drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def told_groups(num_groups: int, num_ungrouped: int) -> str:
    """How many groups there are, in words; each example without one stands by itself, as in a bootstrap's draws.

    Args:
        num_groups: that have a name.
        num_ungrouped: examples that are of none.
    """
    groups = f"{num_groups} group{'' if num_groups == 1 else 's'}"
    if not num_ungrouped:
        return groups
    examples = f"{num_ungrouped} example{'' if num_ungrouped == 1 else 's'} without a group"
    return f"{groups} and {examples}" if num_groups else examples


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """What was said of one example, and what was true."""

    path: Path
    name: str
    """For display: a POSIX path relative to the corpus."""
    start_sec: float
    end_sec: float | None
    """None: to the end of the file."""
    group: str
    target: str
    label: str
    """As answered; a label that is not among ``scores`` (``unknown``) is a refusal."""
    score: float
    scores: Mapping[str, float]
    """Of each label, in the order of the network's outputs."""
    embedding: tuple[float, ...] = ()
    """Of a voice: the vector that stands for it."""

    @property
    def best(self) -> str:
        """The label of the highest score, also where the answer was refused."""
        return max(self.scores, key=self.scores.__getitem__) if self.scores else self.label

    @property
    def confidence(self) -> float:
        """The highest score."""
        return max(self.scores.values(), default=self.score)

    @property
    def refused(self) -> bool:
        return bool(self.scores) and self.label not in self.scores

    @property
    def correct(self) -> bool:
        """Whether the label of the highest score is the true one: refusing does not change it."""
        return self.best == self.target


def confidences_of(answers: Sequence[ScoredAnswer]) -> np.ndarray:
    """(N,) float64: the highest score of each answer."""
    return np.array([answer.confidence for answer in answers], dtype=np.float64)


def correctness_of(answers: Sequence[ScoredAnswer]) -> np.ndarray:
    """(N,) bool: whether the label of the highest score is the true one."""
    return np.array([answer.correct for answer in answers], dtype=bool)
