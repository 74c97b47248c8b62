"""How alike vectors of voices are: cosines, and what a cohort of other voices makes of them."""

import numpy as np

_ROWS = 1024
"""Compared with the cohort at a time."""
_LEAST_DEVIATION = 1e-3


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """
    Shape:
        one: (N, dim); other: (M, dim); both of length 1. Returns (N, M), float32.
    """
    return np.asarray(one, np.float32) @ np.asarray(other, np.float32).T


def normalised(one: np.ndarray, other: np.ndarray, cohort: np.ndarray, nearest: int) -> np.ndarray:
    """Cosines as deviations from what either side has with the voices of a cohort that are nearest to it.

    A voice that many resemble then needs a higher cosine than a rare one.

    Args:
        one: vectors of length 1.
        other: the same.
        cohort: vectors of length 1, of voices that are on neither side.
        nearest: how many of the cohort count, at least 2; where it has fewer, all.

    Reference:
        P. Matejka et al., "Analysis of Score Normalization in Multilingual Speaker Recognition", Interspeech 2017
        (adaptive S-norm, its first kind: each side has its own nearest ones).

    Shape:
        one: (N, dim); other: (M, dim); cohort: (C, dim). Returns (N, M), float32.
    """
    means, deviations = _cohort_statistics(one, cohort, nearest)
    other_means, other_deviations = _cohort_statistics(other, cohort, nearest)
    similarities = cosines(one, other)
    # (s - m) / d + (s - n) / e with one matrix only, as there may be thousands of either side.
    slopes = 1.0 / deviations[:, None] + 1.0 / other_deviations
    similarities *= slopes
    similarities -= (means / deviations)[:, None]
    similarities -= other_means / other_deviations
    similarities *= np.float32(0.5)
    return similarities


def _cohort_statistics(vectors: np.ndarray, cohort: np.ndarray, nearest: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: mean and standard deviation of each vector's highest cosines with the cohort."""
    count = min(nearest, len(cohort))
    means, deviations = (np.empty(len(vectors), np.float32) for _ in range(2))
    for first in range(0, len(vectors), _ROWS):
        rows = slice(first, first + _ROWS)
        highest = np.partition(cosines(vectors[rows], cohort), -count, axis=1)[:, -count:]
        means[rows], deviations[rows] = highest.mean(1), highest.std(1)
    return means, np.maximum(deviations, np.float32(_LEAST_DEVIATION))
