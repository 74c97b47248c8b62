"""Which unit is said in which steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from avpipe.answers.decoded import Word

BLANK = 0
"""Output that says: nothing new. Those of the units follow."""


@dataclass(frozen=True, slots=True)
class Run:
    """Steps in which one unit is said."""

    place: int
    """Of the output."""
    start: int
    end: int
    score: float
    """The likelihood of the output where it is highest, in [0, 1]."""

    def named(self, text: str) -> Word:
        """With times in steps."""
        return Word(text, float(self.start), float(self.end), self.score)


def likeliest_path(log_probs: np.ndarray) -> np.ndarray:
    """
    Shape:
        log_probs: (steps, outputs); returns (steps,), the likeliest output of each.
    """
    found: np.ndarray = log_probs.argmax(1)
    return found


def runs(log_probs: np.ndarray, path: np.ndarray) -> Iterator[Run]:
    """The units along a path, in their order.

    Shape:
        log_probs: (steps, outputs); path: (steps,).
    """
    places = path.tolist()
    scores = np.exp(np.take_along_axis(log_probs, path[:, None], 1)[:, 0]).tolist()
    for place, run in groupby(range(len(places)), places.__getitem__):
        if place != BLANK:
            steps = list(run)
            yield Run(place, steps[0], steps[-1] + 1, max(scores[step] for step in steps))
