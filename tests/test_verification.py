"""Verification: the margin, vectors of length 1, rates over pairs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_eer

from avpipe.networks import Output
from avpipe.objectives import Batch, Decoded, Verification
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
    for wrong in ({"margin": -0.1}, {"margin": 2.0}, {"scale": 0.0}):
        with pytest.raises(ValueError, match="margin"):
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
    assert target.combine(windows, [3.0, 4.0]).embedding == pytest.approx((0.6, 0.8, 0.0, 0.0))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60))
def test_the_equal_error_rate_is_torchmetrics(pairs):
    scores, same = np.array([float(score) for score, _ in pairs]), np.array([each for _, each in pairs])
    rates = detection_rates(scores, same)
    if same.all() or not same.any():
        assert all(math.isnan(value) for value in rates.values())
    else:
        expected = binary_eer(torch.sigmoid(torch.from_numpy(scores)), torch.from_numpy(same).long())
        assert rates["eer"] == pytest.approx(float(expected), abs=1e-6)
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
