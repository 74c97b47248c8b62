"""Sharing out what must stay together, so that every side gets its part of every label."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from avpipe.corpora.corpus import SIDES
from avpipe.corpora.example import Example

_TRAIN, _VAL, _TEST = range(len(SIDES))

# Who may be left short: training needs every label, what is not tested is not measured, validation can spare most.
_PRIORITY = (_TRAIN, _TEST, _VAL)


def join(examples: Iterable[Example], equal: Iterable[Sequence[Example]], by_group: bool) -> list[tuple[Example, ...]]:
    """Put together what must not stand on two sides: one group, one file, equal recordings, and what these link.

    Args:
        examples: what to put together.
        equal: sets of equal recordings.
        by_group: False: groups are ignored.
    """
    parents: dict[str, str] = {}

    def leader(token: str) -> str:
        while (parent := parents.setdefault(token, token)) != token:
            parents[token] = token = parents[parent]
        return token

    # Stretches of one file may have groups of their own, two speakers in one recording; without groups it is one.
    tokens = {each: f"group {each.group}" if by_group and each.group else f"file {each.path}" for each in examples}
    for same in equal:
        first, *others = [tokens[example] for example in same if example in tokens] or [""]
        for other in others:
            parents[leader(other)] = leader(first)
    units: dict[str, list[Example]] = {}
    for example, token in tokens.items():
        units.setdefault(leader(token), []).append(example)
    return [tuple(unit) for unit in units.values()]


def share_out(counts: np.ndarray, names: Sequence[str], fractions: Sequence[float], seed: int) -> list[str]:
    """The side of each unit: the large ones first, each to the side that then comes nearest to its part of each label.

    Which of equally large units comes first hangs on ``seed`` and its name alone, so that the order of the units, the
    version of a random generator and the folder that the corpus lies in change nothing.

    Args:
        counts: examples of each label in each unit.
        names: a name of each unit.
        fractions: of the examples, that each of ``SIDES`` is to have; a side with 0 stays empty.
        seed: of the order.

    Shape:
        counts: (units, labels).
    """
    totals = counts.sum(axis=0)
    wanted = np.outer(fractions, totals)
    order = sorted(range(len(names)), key=lambda unit: (-int(counts[unit].sum()), _digest(seed, names[unit])))
    held = np.zeros_like(wanted)
    closed = np.where(np.asarray(fractions) > 0, 0.0, np.inf)
    sides = np.zeros(len(names), dtype=int)
    for unit in order:
        # By how much the squared distance from what is wanted grows, each label in proportion.
        growth = (counts[unit] * (2 * (held - wanted) + counts[unit]) / totals).sum(axis=1)
        sides[unit] = int(np.argmin(growth + closed))
        held[sides[unit]] += counts[unit]
    for side in _PRIORITY:
        if fractions[side] > 0:
            _complete(side, sides, counts, order)
    return [SIDES[side] for side in sides]


def _complete(side: int, sides: np.ndarray, counts: np.ndarray, order: Sequence[int]) -> None:
    """Bring each label that ``side`` lacks there, by moving the smallest unit that a side before it can spare."""
    for label in np.argsort(counts.astype(bool).sum(axis=0), kind="stable"):
        if counts[sides == side, label].any():
            continue
        holders = [unit for unit in reversed(order) if counts[unit, label]]
        if (moved := next((unit for unit in holders if _can_spare(unit, side, sides, counts)), None)) is not None:
            sides[moved] = side


def _can_spare(unit: int, to_side: int, sides: np.ndarray, counts: np.ndarray) -> bool:
    from_side = int(sides[unit])
    if _PRIORITY.index(from_side) > _PRIORITY.index(to_side):
        return True
    rest = counts[sides == from_side].sum(axis=0) - counts[unit]
    return bool(rest[counts[unit] > 0].all())


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\t{name}".encode(errors="surrogateescape")).digest()
