"""How far a score may be off, for want of more speakers or recordings."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np


def bootstrap_interval(
    groups: Sequence[str],
    score: Callable[[Sequence[int]], Mapping[str, float]],
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Where each metric lies when other groups of the same kind are scored: from the lower to the upper bound.

    Whole groups are drawn, as two recordings of one speaker tell less than those of two speakers. With few groups the
    interval is rather too short. It tells nothing of what another training would change.

    Args:
        groups: of each scored example; one with an empty group is a group of its own.
        score: the metrics of some examples, by their places; an example drawn twice is named twice. What is no number
            (a metric that a draw leaves undefined) is left out of that metric's interval.
        draws: how often as many groups as there are are drawn, with replacement.
        seed: of the draws.
        level: part of the draws that lies within.

    Returns:
        Bounds by metric; nothing with fewer than two groups, which tell nothing about others.

    Raises:
        ValueError: no draws, or a level that is no part.

    Reference:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993 (the percentile interval); A. C. Davison,
        D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8 (of clusters: whole ones are drawn,
        and nothing within them).
    """
    if draws < 1 or not 0 < level < 1:
        raise ValueError(f"{draws} draws and a level of {level} give no interval")
    return interval_of(bootstrap_draws(groups, score, draws, seed), level)


def bootstrap_draws(
    groups: Sequence[str], score: Callable[[Sequence[int]], Mapping[str, float]], draws: int = 1000, seed: int = 0
) -> dict[str, np.ndarray]:
    """What each metric is in each draw of a bootstrap, as :func:`bootstrap_interval` draws; nothing of too few groups.

    Shape:
        returns (draws,), float64, a metric each; NaN where a draw leaves it undefined.
    """
    members = _members(groups)
    if len(members) < 2:
        return {}
    drawn = np.random.default_rng(seed).integers(len(members), size=(draws, len(members)))
    scored: dict[str, np.ndarray] = {}
    for place, row in enumerate(drawn):
        for name, value in score(np.concatenate([members[group] for group in row]).tolist()).items():
            scored.setdefault(name, np.full(draws, np.nan))[place] = float(value)
    return scored


def interval_of(drawn: Mapping[str, np.ndarray], level: float = 0.95) -> dict[str, tuple[float, float]]:
    """The bounds between which ``level`` of the draws lies, by metric; what is no number is left out.

    Shape:
        drawn: (draws,), a metric each.
    """
    bounds = (0.5 - level / 2, 0.5 + level / 2)
    finite = {name: values[np.isfinite(values)] for name, values in drawn.items()}
    return {
        name: (float(low), float(high))
        for name, values in finite.items()
        if len(values)
        for low, high in [np.quantile(values, bounds)]
    }


def _members(groups: Sequence[str]) -> list[np.ndarray]:
    """The places of each group's examples."""
    places: dict[tuple[str, int], list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault((group, -1 if group else place), []).append(place)
    return [np.asarray(members) for members in places.values()]
