"""How well scores tell pairs of one voice from pairs of two."""

import math

import numpy as np

SAME_SHARE = 0.01
"""Of pairs, for the detection cost: few are of one voice."""


def detection_rates(scores: np.ndarray, same: np.ndarray) -> dict[str, float]:
    """``eer`` and ``min_dcf``; neither a number where there are no pairs of one kind.

    Args:
        scores: of pairs, the higher, the surer of one voice.
        same: whether they are of one voice.

    Reference:
        NIST, "2016 Speaker Recognition Evaluation Plan", 2016 (the detection cost, here with costs of 1 and one pair in
        a hundred of one voice, divided by the cost of refusing all).

    Shape:
        scores: (pairs,); same: (pairs,), bool.
    """
    refused, accepted = error_rates(scores, same)[1:]
    if not len(refused):
        return {"eer": math.nan, "min_dcf": math.nan}
    gaps = np.abs(refused - accepted)
    place = len(gaps) - 1 - int(np.argmin(gaps[::-1]))  # of several the highest threshold, as torchmetrics has it
    cost = (SAME_SHARE * refused + (1.0 - SAME_SHARE) * accepted) / SAME_SHARE
    return {"eer": float(refused[place] + accepted[place]) / 2.0, "min_dcf": float(cost.min())}


def error_rates(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, the rate of pairs of one voice below each, and of pairs of two voices at it or above.

    Shape:
        scores: (pairs,); same: (pairs,), bool; returns three of (thresholds,), empty without pairs of both kinds.
    """
    if same.all() or not same.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    order = np.argsort(scores, kind="stable")
    sorted_scores, sorted_same = scores[order], same[order]
    # A threshold at each score that occurs, and one above all.
    first = np.flatnonzero(np.diff(sorted_scores, prepend=-np.inf) > 0)
    below = np.append(first, len(scores))
    refused = np.concatenate([[0], np.cumsum(sorted_same)])[below] / same.sum()
    accepted = 1.0 - np.concatenate([[0], np.cumsum(~sorted_same)])[below] / (~same).sum()
    return np.append(sorted_scores[first], np.inf), refused, accepted
