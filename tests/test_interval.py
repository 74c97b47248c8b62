"""Intervals by the bootstrap over groups."""

import math

import numpy as np
import pytest

from avpipe.objectives.interval import bootstrap_interval


def mean_of(values):
    return lambda places: {"mean": float(np.mean([values[place] for place in places]))}


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Forty groups of unequal size, whose members are alike: the truth is 0."""
    draw = np.random.default_rng(0)
    covered = covered_alone = 0
    for simulation in range(300):
        sizes = draw.integers(1, 6, 40)
        values = np.repeat(draw.standard_normal(40), sizes) + 0.3 * draw.standard_normal(sizes.sum())
        groups = np.repeat([f"g{group}" for group in range(40)], sizes).tolist()

        def score(places, values=values):
            return {"mean": float(values[places].mean())}

        low, high = bootstrap_interval(groups, score, draws=200, seed=simulation)["mean"]
        covered += low <= 0 <= high
        if simulation < 100:
            low, high = bootstrap_interval([""] * len(values), score, draws=200, seed=simulation)["mean"]
            covered_alone += low <= 0 <= high
    assert 0.90 <= covered / 300 <= 0.98
    assert covered_alone / 100 < 0.85  # what drawing single examples would claim


def test_equal_seeds_draw_equal_intervals_and_a_higher_level_a_wider_one():
    values, groups = list(range(20)), [str(place // 2) for place in range(20)]
    first = bootstrap_interval(groups, mean_of(values))
    assert bootstrap_interval(groups, mean_of(values)) == first
    assert bootstrap_interval(groups, mean_of(values), seed=1) != first
    (low, high), (wider_low, wider_high) = (
        first["mean"],
        bootstrap_interval(groups, mean_of(values), level=0.99)["mean"],
    )
    assert wider_low < low < 9.5 < high < wider_high


def test_whole_groups_are_drawn_and_an_empty_group_is_one_of_its_own():
    seen = []

    def score(places):
        seen.append(places)
        return {"size": len(places)}

    bootstrap_interval(["a", "", "a", "b", ""], score, draws=200)
    for places in seen:
        assert all(type(place) is int for place in places)
        assert places.count(0) == places.count(2)
        assert places.count(0) + sum(places.count(place) for place in (1, 3, 4)) == 4
    assert any(1 in places and 4 not in places for places in seen)


@pytest.mark.parametrize("groups", [[], ["a"], ["a", "a", "a"]])
def test_one_group_tells_nothing_about_others(groups):
    assert bootstrap_interval(groups, mean_of([1.0, 2.0, 3.0])) == {}


def test_what_a_draw_leaves_undefined_is_left_out():
    def score(places):
        return {"mean": float(np.mean(places)) if 0 in places else math.nan, "never": math.nan}

    interval = bootstrap_interval(["", "", ""], score, draws=50)
    assert set(interval) == {"mean"}
    assert all(map(math.isfinite, interval["mean"]))


def test_no_draws_and_impossible_levels_are_refused():
    for options in ({"draws": 0}, {"level": 1.0}, {"level": 0.0}):
        with pytest.raises(ValueError, match="no interval"):
            bootstrap_interval(["a", "b"], mean_of([1, 2]), **options)
