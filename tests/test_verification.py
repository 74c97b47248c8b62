"""Verification: the margin, vectors of length 1, rates over pairs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_eer

from avpipe.answers import Decoded
from avpipe.networks import Output
from avpipe.objectives import Batch, Verification
from avpipe.objectives.detection import detection_rates, error_rates


def objective(**options):
    torch.manual_seed(0)
    return Verification(["ann", "bob", "eve"], dim=4, **options)


def batch(*targets):
    return Batch({}, {}, torch.tensor(targets))


def test_voices_come_from_the_targets():
    assert Verification.vocabulary(["b", "a", "b"]) == {"voices": ["a", "b"]}
    assert objective().num_outputs == 4
    assert objective().encode("bob") == 1
    assert objective().encode("zoe") == -1
    for wrong in ({"margin": -0.1}, {"margin": 2.0}, {"scale": 0.0}, {"cohort": 1}, {"cohort": -2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            objective(**wrong)
    for wrong in ({"threshold": math.nan}, {"spread": 0.0}, {"false_accepts": 1.0}, {"false_accepts": -0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            objective(**wrong)


def test_without_a_margin_the_loss_is_cross_entropy_of_cosines():
    target = objective(margin=0.0, scale=7.0)
    value = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    cosines = torch.nn.functional.cosine_similarity(value[:, None], target.prototypes[None], dim=2)
    expected = torch.nn.functional.cross_entropy(7.0 * cosines[:4], torch.tensor([0, 1, 2, 0]))
    torch.testing.assert_close(target.loss(Output(value), batch(0, 1, 2, 0, -1)), expected)


def test_a_margin_costs_and_is_learned_away():
    value = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    targets = batch(0, 1, 2, 0, 1, 2)
    assert objective(margin=0.3).loss(Output(value), targets) > objective(margin=0.0).loss(Output(value), targets)
    target = objective(margin=0.3)
    value = value.requires_grad_()
    optimizer = torch.optim.Adam([value, *target.parameters()], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = target.loss(Output(value), targets)
        loss.backward()
        optimizer.step()
    assert loss < 0.01
    nearest = torch.nn.functional.cosine_similarity(value[:, None], target.prototypes[None], dim=2).argmax(1)
    assert nearest.tolist() == [0, 1, 2, 0, 1, 2]


def test_an_unknown_voice_costs_nothing():
    value = torch.randn(2, 4, requires_grad=True)
    loss = objective().loss(Output(value), batch(-1, -1))
    loss.backward()
    assert loss == 0
    assert value.grad.abs().max() == 0


def test_a_vector_itself_gives_a_finite_gradient():
    target = objective()
    value = (3.0 * target.prototypes.detach()).requires_grad_()
    target.loss(Output(value), batch(0, 1, 2)).backward()
    assert value.grad.isfinite().all()
    assert target.prototypes.grad.isfinite().all()


def test_windows_point_where_most_of_their_seconds_point():
    target = objective()
    windows = target.decode(Output(torch.tensor([[2.0, 0, 0, 0], [0, 0.1, 0, 0]])))
    for window in windows:
        assert np.linalg.norm(window.embedding) == pytest.approx(1.0)
    assert target.finished(target.combine(windows, [3.0, 4.0])).embedding == pytest.approx((0.6, 0.8, 0.0, 0.0))


def test_it_is_of_no_effect_how_many_windows_are_combined_at_a_time():
    target = objective()
    windows = target.decode(Output(torch.randn(9, 4, generator=torch.Generator().manual_seed(2))))
    stepwise, seconds = windows[0], 2.0
    for window in windows[1:]:
        stepwise, seconds = target.combine([stepwise, window], [seconds, 2.0]), seconds + 2.0
    whole = target.finished(target.combine(windows, [2.0] * 9))
    assert target.finished(stepwise).embedding == pytest.approx(whole.embedding)
    assert np.linalg.norm(whole.embedding) == pytest.approx(1.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60))
def test_the_equal_error_rate_is_torchmetrics(pairs):
    scores, same = np.array([float(score) for score, _ in pairs]), np.array([each for _, each in pairs])
    rates = detection_rates(scores, same)
    if same.all() or not same.any():
        assert all(math.isnan(value) for value in rates.values())
    else:
        expected = float(binary_eer(torch.sigmoid(torch.from_numpy(scores)), torch.from_numpy(same).long()))
        _, refused, accepted = error_rates(scores, same)
        gaps = np.abs(refused - accepted)
        # Of several thresholds that are as good, rounding chooses one here and another there.
        as_good = ((refused + accepted) / 2)[gaps <= gaps.min() + 1e-6]
        assert np.abs(as_good - expected).min() < 1e-6
        assert np.abs(as_good - rates["eer"]).min() < 1e-6
        assert 0.0 <= rates["min_dcf"] <= 1.0


def test_rates_of_a_known_case():
    scores, same = np.array([0.9, 0.8, 0.4, 0.3, 0.1]), np.array([True, False, True, False, False])
    thresholds, refused, accepted = error_rates(scores, same)
    assert thresholds.tolist() == [0.1, 0.3, 0.4, 0.8, 0.9, math.inf]
    assert refused.tolist() == [0.0, 0.0, 0.0, 0.5, 0.5, 1.0]
    assert accepted == pytest.approx([1.0, 2 / 3, 1 / 3, 1 / 3, 0.0, 0.0])
    assert detection_rates(scores, same)["min_dcf"] == 0.5


def test_metrics_are_over_all_pairs_and_a_resample_has_no_pair_of_one_answer():
    target = objective()
    draw = np.random.default_rng(0).standard_normal((12, 4))
    answers = [Decoded(embedding=tuple(row / np.linalg.norm(row))) for row in draw]
    voices = [f"v{index % 4}" for index in range(12)]
    metrics = target.metrics()
    target.update(metrics, answers, voices)
    told = {name: float(value) for name, value in metrics.compute().items()}
    measured = target.scorer(answers, voices)
    assert told == pytest.approx(measured(range(12)))
    assert measured([*range(12), *range(12)])["eer"] == pytest.approx(told["eer"], abs=0.02)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn(count, dim=4, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((count, dim)))


def with_cohort(size, cohort, dim=16, **options):
    torch.manual_seed(1)
    return Verification([f"v{place}" for place in range(size)], dim=dim, cohort=cohort, **options)


def test_without_a_cohort_similarities_are_cosines():
    one, other = drawn(5), drawn(3, seed=1)
    np.testing.assert_allclose(objective().similarities(one, other), one @ other.T, atol=1e-6)


@pytest.mark.parametrize("cohort", [2, 7, 1000])
def test_a_similarity_is_what_exceeds_that_with_the_nearest_of_the_cohort(cohort):
    target = with_cohort(40, cohort)
    one, other = drawn(5, 16), drawn(3, 16, seed=1)
    voices = unit(target.prototypes.detach().numpy())

    def statistics(vector):
        nearest = np.sort(voices @ vector)[-min(cohort, 40) :]
        return nearest.mean(), nearest.std()

    expected = np.empty((5, 3))
    for row, first in enumerate(one):
        for column, second in enumerate(other):
            (mean, deviation), (other_mean, other_deviation) = statistics(first), statistics(second)
            cosine = first @ second
            expected[row, column] = ((cosine - mean) / deviation + (cosine - other_mean) / other_deviation) / 2
    np.testing.assert_allclose(target.similarities(one, other), expected, rtol=1e-3, atol=1e-3)


def test_similarities_are_the_same_from_either_side_and_in_any_company():
    target = with_cohort(40, 7)
    vectors = drawn(3000, 16)
    whole = target.similarities(vectors, vectors)
    np.testing.assert_allclose(whole, whole.T, atol=1e-5)
    np.testing.assert_allclose(target.similarities(vectors[2500:], vectors[:10]), whole[2500:, :10], atol=1e-5)


def crowded(target, voices=60, each=6, seed=3):
    """Answers and their voices; half of these sound like a crowd that many of the cohort belong to too."""
    draw = np.random.default_rng(seed)
    crowd = np.zeros(target.dim)
    crowd[0] = 1.0
    with torch.no_grad():
        target.prototypes[: len(target.prototypes) // 2] += 6.0 * torch.from_numpy(crowd)
    centres = draw.standard_normal((voices, target.dim)) / np.sqrt(target.dim)
    centres[: voices // 2] += 1.5 * crowd
    rows = np.repeat(centres, each, 0) + 0.8 * draw.standard_normal((voices * each, target.dim)) / np.sqrt(target.dim)
    names = np.repeat(np.arange(voices), each)
    return [Decoded(embedding=tuple(row)) for row in unit(rows)], [str(name) for name in names]


def test_the_cohort_helps_where_some_voices_sound_like_many():
    plain, normalising = with_cohort(200, 0), with_cohort(200, 30)
    answers, voices = crowded(plain)
    crowded(normalising)
    rates = [each.scorer(answers, voices)(range(len(answers)))["eer"] for each in (plain, normalising)]
    assert rates[1] < 0.8 * rates[0]
    metrics = normalising.metrics()
    normalising.update(metrics, answers, voices)
    assert float(metrics.compute()["eer"]) == pytest.approx(rates[1])


def windows_of(answers):
    """As calibration takes them: two windows an example, neither of length 1."""
    return [(torch.tensor([each.embedding, each.embedding]) * 3.0, torch.tensor([2.0, 1.0])) for each in answers]


@pytest.mark.parametrize("cohort", [0, 30])
@pytest.mark.parametrize("false_accepts", [0.0, 0.01, 0.1])
def test_the_threshold_lets_the_stated_part_of_strangers_pass(cohort, false_accepts):
    target = with_cohort(200, cohort, false_accepts=false_accepts)
    answers, voices = crowded(target)
    told = target.calibration(windows_of(answers), voices, refuse_right=0.9)
    assert set(told) == {"threshold", "spread"}
    vectors = np.array([each.embedding for each in answers])
    similarities = target.similarities(vectors, vectors)
    strangers = similarities[np.triu(np.array(voices)[:, None] != np.array(voices), 1)]
    assert (strangers >= told["threshold"]).mean() <= false_accepts + 1e-5  # of rounding in the vectors
    assert (strangers >= told["threshold"] - 0.02 * similarities.std()).mean() > false_accepts
    assert told["spread"] == pytest.approx(strangers.std(), rel=0.01)
    with_cohort(200, cohort, false_accepts=false_accepts, **told)


def test_one_voice_tells_of_no_strangers():
    answers, _ = crowded(with_cohort(200, 0))
    assert with_cohort(200, 0).calibration(windows_of(answers), ["one"] * len(answers), 0.05) == {}


def test_uncalibrated_knows_no_threshold():
    target = objective(threshold=0.4)
    assert target.uncalibrated().threshold is None
    assert target.threshold == 0.4


def test_whoever_is_nearest_is_named_and_nobody_below_the_threshold():
    target = objective(threshold=0.5, spread=0.1).with_people(["ann", "bob"], unit([[1, 0, 0, 0], [0, 1, 0, 0]]))
    near, far, both = target.decode(Output(torch.tensor([[2.0, 0.2, 0, 0], [0.1, 0.2, 1.0, 0], [1.0, 1.1, 0, 0]])))
    assert (near.label, far.label, both.label) == ("ann", "unknown", "bob")
    assert near.score == near.scores["ann"] > 0.98 > 0.1 > near.scores["bob"]
    assert far.score == max(far.scores.values()) < 0.5
    cosine = 0.2 / math.sqrt(0.01 + 0.04 + 1.0)
    assert far.scores["bob"] == pytest.approx(1 / (1 + math.exp(-(cosine - 0.5) / 0.1)), abs=1e-5)
    assert near.embedding == pytest.approx(tuple(unit([[2.0, 0.2, 0, 0]])[0]))


def test_exactly_the_threshold_is_enough_and_half_a_score():
    target = objective(threshold=1.0).with_people(["ann"], unit([[0, 0, 1, 0]]))
    (answer,) = target.decode(Output(torch.tensor([[0.0, 0, 5.0, 0]])))
    assert (answer.label, answer.score) == ("ann", 0.5)


def test_a_recording_has_the_name_of_its_mean_direction():
    target = objective(threshold=0.5).with_people(["ann", "bob"], unit([[1, 0, 0, 0], [0, 1, 0, 0]]))
    windows = target.decode(Output(torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])))
    assert [window.label for window in windows] == ["ann", "bob"]
    assert target.finished(target.combine(windows, [1.0, 3.0])).label == "bob"
    assert target.finished(target.combine(windows, [3.0, 1.0])).label == "ann"


def test_a_far_similarity_gives_a_score_and_no_overflow():
    target = objective(threshold=1.0, spread=1e-4).with_people(["ann"], unit([[1, 0, 0, 0]]))
    (answer,) = target.decode(Output(torch.tensor([[-1.0, 0, 0, 0]])))
    assert (answer.label, answer.score) == ("unknown", 0.0)


def test_people_need_a_threshold_and_names_of_their_own():
    vectors = unit([[1, 0, 0, 0], [0, 1, 0, 0]])
    with pytest.raises(ValueError, match="threshold"):
        objective().with_people(["ann", "bob"], vectors)
    for people in (["ann", "ann"], ["ann", "unknown"], []):
        with pytest.raises(ValueError, match="people"):
            objective(threshold=0.5).with_people(people, vectors)


def test_who_is_introduced_to_a_copy_is_not_known_to_the_original():
    target = objective(threshold=0.5)
    target.with_people(["ann"], unit([[1, 0, 0, 0]]))
    (answer,) = target.decode(Output(torch.tensor([[1.0, 0, 0, 0]])))
    assert (answer.label, answer.scores) == (None, {})
