"""What each sense of a network of several would say alone, and what it adds to the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from statistics import fmean

from avpipe.answers import Answers, Decoded

Apart = Mapping[tuple[str, ...], Decoded]
"""An answer by the senses that were used for it."""


@dataclass(slots=True)
class SensesHeard:
    """What was said of a file so far, by the senses that it was said by."""

    means: dict[tuple[str, ...], tuple[Decoded, float]] = field(default_factory=dict)
    """Over all windows, with their seconds: what is lacked in a window adds nothing there."""
    alone: dict[str, tuple[Decoded, float]] = field(default_factory=dict)
    """Over the windows that have the sense."""

    def add(self, objective: Answers, apart: Apart, present: Sequence[str], seconds: float) -> None:
        """Count a window.

        Args:
            objective: that combines answers.
            apart: the window's answers.
            present: the senses that it has.
            seconds: its length.
        """
        for used, said in apart.items():
            self.means[used] = _combined(objective, self.means.get(used), said, seconds)
        for sense in present:
            self.alone[sense] = _combined(objective, self.alone.get(sense), apart[sense,], seconds)

    def contributions(self, label: str | None) -> dict[str, float]:
        """How much each sense that the file has adds to the score of ``label``; without labels, to the score itself.

        They sum to the score less that of an answer without any sense. A sense that speaks against it has a negative
        one.

        Reference: L. S. Shapley, "A Value for n-Person Games", 1953: the mean, over all orders in which the senses may
        come, of what the score rises by when the sense comes.
        """
        worth = {used: _worth(said, label) for used, (said, _) in self.means.items()}
        every = max(worth, key=len)
        orders = list(permutations(every))

        def added(sense: str, order: tuple[str, ...]) -> float:
            before = set(order[: order.index(sense)])
            return (
                worth[tuple(each for each in every if each in before | {sense})]
                - worth[tuple(each for each in every if each in before)]
            )

        return {sense: fmean(added(sense, order) for order in orders) for sense in every if sense in self.alone}


def _combined(
    objective: Answers, before: tuple[Decoded, float] | None, said: Decoded, seconds: float
) -> tuple[Decoded, float]:
    if before is None:
        return said, seconds
    return objective.combine([before[0], said], [before[1], seconds]), before[1] + seconds


def _worth(said: Decoded, label: str | None) -> float:
    return said.scores[label] if label is not None and said.scores else said.score or 0.0
