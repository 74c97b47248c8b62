"""Transitions between the shots of a film: what they are, and the lists that tell of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avpipe.corpora.errors import CorpusError
from avpipe.corpora.tables import Row, read_table
from avpipe.corpora.written import write_table

CUT, GRADUAL = "cut", "gradual"
"""The kinds of transitions. Fades, dissolves and wipes are gradual."""

COLUMNS = ("start_sec", "end_sec", "kind")

_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Transition:
    """From one shot to the next.

    A cut begins and ends at the first frame of the new shot. A gradual transition begins at the first frame that is
    not the old shot alone, and ends at the first frame that is the new shot alone.
    """

    start_sec: float
    """Presentation time of a frame."""
    end_sec: float
    """Presentation time of a frame; the same as ``start_sec`` for a cut."""

    @property
    def kind(self) -> str:
        return GRADUAL if self.end_sec > self.start_sec else CUT


class Spanned(Protocol):
    """What lasts from one time to another, as a transition does."""

    @property
    def start_sec(self) -> float: ...
    @property
    def end_sec(self) -> float: ...


def told(transitions: Iterable[Spanned]) -> str:
    """Transitions in one line: ``1.24 3-3.96`` is a cut at 1.24 s and a gradual one from 3 to 3.96 s."""
    return " ".join(
        _number(each.start_sec) + (f"-{_number(each.end_sec)}" if each.end_sec > each.start_sec else "")
        for each in transitions
    )


def understood(text: str) -> tuple[Transition, ...]:
    """What :func:`told` has told."""
    spans = [[float(part) for part in piece.split("-")] for piece in text.split()]
    return tuple(Transition(span[0], span[-1]) for span in spans)


def _number(sec: float) -> str:
    return f"{sec:.{_DECIMALS}f}".rstrip("0").rstrip(".")


def write_transitions(path: Path, transitions: Iterable[Transition]) -> None:
    """Write a list as CSV, with the columns ``start_sec``, ``end_sec`` and ``kind``."""
    rows = ((_number(each.start_sec), _number(each.end_sec), each.kind) for each in transitions)
    write_table(path, COLUMNS, rows)


def read_transitions(path: Path) -> tuple[Transition, ...]:
    """Read a list that has at least the column ``start_sec``; without ``end_sec``, all of them are cuts.

    Raises:
        CorpusError: it cannot be read, or holds what is no time, or they do not follow one another.
    """
    return _in_order(path, read_table(path, COLUMNS[:1]))


def read_shot_table(path: Path) -> tuple[Transition, ...]:
    """Read the transitions from a table of shots, as ``avpipe predict`` writes it: one leads to each but the first.

    Raises:
        CorpusError: as of :func:`read_transitions`.
    """
    rows = []
    for line, cells in read_table(path, ("start_sec", "begins_with"))[1:]:
        is_gradual = cells["begins_with"] == GRADUAL
        span = [cells.get(f"transition_{name}", "") if is_gradual else cells["start_sec"] for name in COLUMNS[:2]]
        rows.append(Row(line, dict(zip(COLUMNS, span, strict=False))))
    return _in_order(path, rows)


def _in_order(path: Path, rows: Iterable[Row]) -> tuple[Transition, ...]:
    """
    Raises:
        CorpusError: a row holds what is no time, or begins before the one above has ended.
    """
    found: list[Transition] = []
    for line, cells in rows:
        try:
            start = float(cells["start_sec"])
            end = float(cells.get("end_sec") or start)
        except ValueError:
            start = end = math.nan
        if not 0.0 <= start <= end < math.inf:
            told_of = f"{cells['start_sec']!r} to {cells.get('end_sec', '')!r}"
            raise CorpusError(f"{path}, line {line}", f"no times of a transition: {told_of}", "give seconds that rise")
        if found and start < found[-1].end_sec:
            raise CorpusError(f"{path}, line {line}", "begins before the one above has ended", "sort the list by time")
        found.append(Transition(start, end))
    return tuple(found)


def frame_labels(transitions: Sequence[Transition], times_sec: np.ndarray) -> np.ndarray:
    """What each frame is: in row 0, whether a cut leads to it; in row 1, whether it is of a gradual transition.

    Shape:
        times_sec: (T,), rising presentation times; returns (2, T), float32, 0 or 1.
    """
    labels = np.zeros((2, len(times_sec)), np.float32)
    for each in transitions:
        first, last = np.searchsorted(times_sec, (each.start_sec - TOLERANCE_SEC, each.end_sec - TOLERANCE_SEC))
        if each.kind == GRADUAL:
            labels[1, first:last] = 1.0
        elif 0 < first < len(times_sec):
            labels[0, first] = 1.0
    return labels


TOLERANCE_SEC = 5e-4
"""Times that lie nearer to each other are the same: lists round them, and containers count in milliseconds."""
