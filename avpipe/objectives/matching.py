"""Which of the transitions that were found are true ones."""

import math
from collections.abc import Mapping, Sequence

from avpipe.corpora import CUT, GRADUAL, TOLERANCE_SEC, Transition

COUNTS = tuple(f"{kind}_{what}" for kind in (CUT, GRADUAL) for what in ("right", "found", "true"))
"""By which :func:`matched` counts."""


def matched(found: Sequence[Transition], true: Sequence[Transition]) -> dict[str, float]:
    """How many there are of each kind, and how many of those found are right.

    A cut is right where the truth has one at the same frame; a gradual transition, where it shares a frame with a true
    one. Each true one is found once at the most. Both lists are in order of time.

    Returns:
        Numbers by the names of :data:`COUNTS`.
    """
    counts: dict[str, float] = {}
    for kind in (CUT, GRADUAL):
        here, there = ([each for each in row if each.kind == kind] for row in (found, true))
        counts[f"{kind}_right"] = _pairs(here, there)
        counts[f"{kind}_found"], counts[f"{kind}_true"] = len(here), len(there)
    return counts


def _pairs(found: Sequence[Transition], true: Sequence[Transition]) -> int:
    """The greatest number of pairs: of two in a row that overlap, what ends first goes first."""
    pairs = place = 0
    for each in found:
        while place < len(true) and _is_before(true[place], each):
            place += 1
        if place < len(true) and not _is_before(each, true[place]):
            pairs, place = pairs + 1, place + 1
    return pairs


def _is_before(one: Transition, other: Transition) -> bool:
    """Whether the two share no frame, and the one comes first."""
    if one.end_sec == one.start_sec:
        return one.start_sec < other.start_sec - TOLERANCE_SEC
    return one.end_sec <= other.start_sec + TOLERANCE_SEC


def rates(counts: Mapping[str, float]) -> dict[str, float]:
    """Precision, recall and F1 of each kind from counts, and the mean F1; what nothing is told of is no number."""
    told: dict[str, float] = {}
    for kind in (CUT, GRADUAL):
        right, found, true = (counts[f"{kind}_{what}"] for what in ("right", "found", "true"))
        told[f"{kind}_f1"] = 2.0 * right / (found + true) if found + true else math.nan
        told[f"{kind}_precision"] = right / found if found else math.nan
        told[f"{kind}_recall"] = right / true if true else math.nan
    known = [told[f"{kind}_f1"] for kind in (CUT, GRADUAL) if not math.isnan(told[f"{kind}_f1"])]
    return {"f1": sum(known) / len(known) if known else math.nan, **told}
