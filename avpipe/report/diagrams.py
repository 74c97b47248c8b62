"""The numbers behind the diagrams: pure functions of labels, scores and truths."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NUM_BINS = 15


def confusion_matrix(
    targets: Sequence[str], said: Sequence[str], rows: Sequence[str], columns: Sequence[str]
) -> np.ndarray:
    """How often each label was said of each true one.

    Shape:
        returns (rows, columns), int64.
    """
    row_of = {label: index for index, label in enumerate(rows)}
    column_of = {label: index for index, label in enumerate(columns)}
    matrix = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for target, label in zip(targets, said, strict=True):
        matrix[row_of[target], column_of[label]] += 1
    return matrix


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the examples of a label were given it."""

    label: str
    num_examples: int
    num_found: int

    @property
    def value(self) -> float:
        """NaN where there is no example."""
        return self.num_found / self.num_examples if self.num_examples else float("nan")


def recalls(targets: Sequence[str], said: Sequence[str], labels: Sequence[str]) -> list[Recall]:
    """The recall of each of ``labels``, in their order."""
    totals: defaultdict[str, int] = defaultdict(int)
    found: defaultdict[str, int] = defaultdict(int)
    for target, label in zip(targets, said, strict=True):
        totals[target] += 1
        found[target] += target == label
    return [Recall(label, totals[label], found[label]) for label in labels]


@dataclass(frozen=True, slots=True)
class GroupScore:
    """How well one group (a speaker, a source recording) was answered."""

    name: str
    num_examples: int
    accuracy: float
    uar: float
    """Unweighted mean of the recalls of the labels that the group has."""


def group_scores(groups: Sequence[str], targets: Sequence[str], said: Sequence[str]) -> list[GroupScore]:
    """A score for each group, the weakest first; of equal ones the larger first."""
    members: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for group, target, label in zip(groups, targets, said, strict=True):
        members[group].append((target, label))
    scores = []
    for name, pairs in members.items():
        truths, labels = zip(*pairs, strict=True)
        found = [recall.value for recall in recalls(truths, labels, sorted(set(truths)))]
        accuracy = sum(truth == label for truth, label in pairs) / len(pairs)
        scores.append(GroupScore(name, len(pairs), accuracy, sum(found) / len(found)))
    return sorted(scores, key=lambda score: (score.accuracy, score.uar, -score.num_examples, score.name))


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often answers of each confidence are right.

    Shape:
        edges: (bins + 1,). counts, confidence, accuracy: (bins,), the latter two NaN where a bin is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float
    """Expected calibration error: mean distance of confidence and accuracy, weighted by count; NaN without answers."""


def calibration(confidences: np.ndarray, correct: np.ndarray, num_bins: int = NUM_BINS) -> Calibration:
    """Bin answers by confidence.

    The error is that of torchmetrics' ``MulticlassCalibrationError`` with ``norm="l1"``: there, a confidence of
    exactly 1 has a bin of its own. What is drawn has it in the last bin.

    Shape:
        confidences, correct: (N,).

    Reference:
        C. Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599.
    """
    edges = np.linspace(0.0, 1.0, num_bins + 1, dtype=np.float32)
    place = np.searchsorted(edges, confidences.astype(np.float32), side="right") - 1
    counts, sums, rights = (
        np.bincount(place, weights, num_bins + 1) for weights in (None, confidences, correct.astype(np.float64))
    )
    error = float(np.abs(rights - sums).sum() / len(confidences)) if len(confidences) else float("nan")
    for values in (counts, sums, rights):
        values[-2] += values[-1]
    counts = counts[:-1]
    filled = np.where(counts > 0, counts, np.nan)
    return Calibration(edges.astype(np.float64), counts, sums[:-1] / filled, rights[:-1] / filled, error)


def selective_accuracy(
    confidences: np.ndarray, correct: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What refusing all answers below a threshold leaves.

    Shape:
        confidences, correct: (N,); thresholds: (T,).
        returns share of the answered and accuracy of the answered, (T,) each; accuracy is NaN where none is answered.

    Reference:
        Y. Geifman, R. El-Yaniv, "Selective Classification for Deep Neural Networks", 2017, arXiv:1705.08500.
    """
    order = np.argsort(confidences)
    below = np.searchsorted(confidences[order], thresholds, side="left")
    answered = len(confidences) - below
    rights_from = np.concatenate([np.cumsum(correct[order][::-1].astype(np.float64))[::-1], [0.0]])
    accuracy = rights_from[below] / np.where(answered > 0, answered, np.nan)
    return answered / max(1, len(confidences)), accuracy
