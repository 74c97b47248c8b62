"""What the pages of scores share: answers as tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avpipe.report.answers import ScoredAnswer, confidences_of, correctness_of, told_groups
from avpipe.report.diagrams import (
    Calibration,
    GroupScore,
    Recall,
    calibration,
    confusion_matrix,
    group_scores,
    recalls,
)
from avpipe.report.drawing import Picture
from avpipe.report.figures import reliability_picture, selective_picture

MAX_GROUPS = 300
"""More are cut out of the middle: the weakest and the strongest are what one looks for."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One metric."""

    name: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """How often one label was said of another."""

    said: str
    count: int
    share: float
    """Of the row, 0 to 1."""
    kind: str
    """``right``, ``refused``, or empty: wrong."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """The matrix, a row a true label, a column a label said."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[Cell, ...]], ...]
    """(true label, its examples, cells)."""


@dataclass(frozen=True, slots=True)
class Sections:
    """All that is drawn from the answers themselves."""

    num_examples: int
    num_refused: int
    confusion: Confusion
    recalls: tuple[Recall, ...]
    groups: tuple[GroupScore, ...]
    num_groups_hidden: int
    num_ungrouped: int
    """Examples without a group."""
    calibration: Calibration
    pictures: tuple[Picture, ...]

    @property
    def told_groups(self) -> str:
        """How many groups there are, in words."""
        rows = len(self.groups) + self.num_groups_hidden
        return told_groups(rows - (self.num_ungrouped > 0), self.num_ungrouped)

    @property
    def bins(self) -> list[tuple[float, float, int, float, float]]:
        """(from, to, answers, mean confidence, accuracy) of the bins that hold any."""
        after = self.calibration
        rows = zip(
            after.edges[:-1].tolist(),
            after.edges[1:].tolist(),
            after.counts.tolist(),
            after.confidence.tolist(),
            after.accuracy.tolist(),
            strict=True,
        )
        return [row for row in rows if row[2]]


def tiles(metrics: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> list[Tile]:
    return [Tile(name, value, intervals.get(name)) for name, value in metrics.items()]


def sections(
    answers: Sequence[ScoredAnswer],
    uncalibrated: Sequence[ScoredAnswer] | None,
    labels: Sequence[str],
    threshold: float | None,
) -> Sections:
    """Tables and pictures of ``answers``, which may be none at all."""
    targets = [answer.target for answer in answers]
    best = [answer.best for answer in answers]
    ranked = group_scores([answer.group for answer in answers], targets, best)
    hidden = max(0, len(ranked) - MAX_GROUPS)
    shown = ranked if not hidden else ranked[: MAX_GROUPS // 2] + ranked[-(MAX_GROUPS // 2) :]
    after = _calibration(answers)
    before = None if uncalibrated is None else _calibration(uncalibrated)
    pictures = []
    if answers:
        pictures.append(reliability_picture(after, before))
        pictures.append(selective_picture(confidences_of(answers), correctness_of(answers), threshold))
    return Sections(
        num_examples=len(answers),
        num_refused=sum(answer.refused for answer in answers),
        confusion=_confusion(answers, labels),
        recalls=tuple(recalls(targets, best, _all_labels(labels, targets))),
        groups=tuple(shown),
        num_groups_hidden=hidden,
        num_ungrouped=sum(not answer.group for answer in answers),
        calibration=after,
        pictures=tuple(pictures),
    )


def _calibration(answers: Sequence[ScoredAnswer]) -> Calibration:
    return calibration(confidences_of(answers), correctness_of(answers))


def _all_labels(labels: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """The labels in their order, and behind them what else occurs (``unknown``)."""
    return (*labels, *sorted(set(others) - set(labels)))


def _kind(true: str, said: str, labels: Sequence[str]) -> str:
    if said == true:
        return "right"
    return "" if said in labels else "refused"


def _confusion(answers: Sequence[ScoredAnswer], labels: Sequence[str]) -> Confusion:
    targets, said = [answer.target for answer in answers], [answer.label for answer in answers]
    truths, columns = _all_labels(labels, targets), _all_labels(labels, said)
    matrix = confusion_matrix(targets, said, truths, columns)
    totals = matrix.sum(1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    rows = [
        (
            true,
            int(totals[row]),
            tuple(
                Cell(label, int(matrix[row, column]), float(shares[row, column]), _kind(true, label, labels))
                for column, label in enumerate(columns)
            ),
        )
        for row, true in enumerate(truths)
    ]
    return Confusion(columns, tuple(rows))
