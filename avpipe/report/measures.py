"""What was measured of recordings that have no label, such as filtered ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from avpipe.report.answers import ScoredAnswer

MAX_ROWS = 40
"""The weakest are what one looks for."""


@dataclass(frozen=True, slots=True)
class Measures:
    """A table of recordings, the weakest first."""

    names: tuple[str, ...]
    """Of the columns."""
    ranked_by: str
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    """(recording, its values in the order of the columns); None: it could not be measured."""
    num_examples: int


def measures_of(answers: Sequence[ScoredAnswer]) -> Measures | None:
    """The table of what ``answers`` have for scores; None where there are none. Gains come first, and rank."""
    found = dict.fromkeys(name for answer in answers for name in answer.scores)
    if not found:
        return None
    names = tuple(sorted(found, key=lambda name: not name.endswith("_gain")))
    ranked = sorted(answers, key=lambda answer: answer.scores.get(names[0], float("inf")))
    rows = tuple((answer.name, tuple(answer.scores.get(name) for name in names)) for answer in ranked[:MAX_ROWS])
    return Measures(names, names[0], rows, len(answers))
