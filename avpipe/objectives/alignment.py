"""Which unit is said in which steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from avpipe.objectives.objective import Word

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


def likeliest_path(log_probs: Tensor) -> Tensor:
    """
    Shape:
        log_probs: (steps, outputs); returns (steps,), the likeliest output of each.
    """
    return log_probs.argmax(1)


def forced_path(log_probs: Tensor, places: Sequence[int]) -> Tensor:
    """The likeliest path that says just these units.

    Shape:
        log_probs: (steps, outputs), on the CPU; returns (steps,).

    Reference:
        L. Kürzinger et al., "CTC-Segmentation of Large Corpora for German End-to-End Speech Recognition", SPECOM 2020;
        here :func:`torchaudio.functional.forced_align`, which frees no beginning and no end.
    """
    from torchaudio.functional import forced_align

    if not places:
        return torch.full((len(log_probs),), BLANK)
    path, _ = forced_align(log_probs[None], torch.tensor([places]), blank=BLANK)
    return path[0]


def runs(log_probs: Tensor, path: Tensor) -> Iterator[Run]:
    """The units along a path, in their order.

    Shape:
        log_probs: (steps, outputs); path: (steps,).
    """
    places = path.tolist()
    scores = log_probs.gather(1, path[:, None])[:, 0].exp().tolist()
    for place, run in groupby(range(len(places)), places.__getitem__):
        if place != BLANK:
            steps = list(run)
            yield Run(place, steps[0], steps[-1] + 1, max(scores[step] for step in steps))
