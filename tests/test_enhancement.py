"""Loss and measures of a filter."""

import math

import pytest
import torch

from avpipe.networks import Output
from avpipe.objectives import Batch, Enhancement

OBJECTIVE = Enhancement()
HEARING = Enhancement(perceptual_weight=2.0)


def batch_of(noisy, clean):
    lengths = torch.full((len(noisy),), noisy.shape[1])
    return Batch({"waveform": torch.stack([noisy, clean], 1)}, {"waveform": lengths}, torch.empty(len(noisy), 0))


@pytest.fixture
def batch():
    torch.manual_seed(0)
    clean = 0.1 * torch.randn(2, 8_000).cumsum(1).diff(dim=1, prepend=torch.zeros(2, 1))
    return batch_of(clean + 0.05 * torch.randn(2, 8_000), clean)


def loss_of(batch, filtered):
    return float(OBJECTIVE.loss(Output(filtered), batch))


def test_nearer_to_the_clean_sound_costs_less(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    costs = [loss_of(batch, clean + share * (noisy - clean)) for share in (0.0, 0.1, 0.5, 1.0, 2.0)]
    assert costs == sorted(costs)
    assert loss_of(batch, torch.zeros_like(clean)) > costs[0]


def test_a_wrong_level_costs(batch):
    clean = batch.features["waveform"][:, 1]
    assert loss_of(batch, 0.7 * clean) > loss_of(batch, clean) + 0.5


def test_all_levels_cost_the_same(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    filtered = clean + 0.3 * (noisy - clean)
    soft = batch_of(1e-2 * noisy, 1e-2 * clean)
    assert loss_of(soft, 1e-2 * filtered) == pytest.approx(loss_of(batch, filtered), rel=1e-2)


def test_the_perceptual_distance_is_added_for_clips_with_speech(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    silent = torch.zeros_like(clean[1:])
    half = batch_of(noisy, torch.cat([clean[:1], silent]))

    def heard(of, filtered):
        return float(HEARING.loss(Output(filtered), of)) - loss_of(of, filtered)

    assert heard(batch, clean) == pytest.approx(0.0, abs=0.02)
    assert heard(batch, noisy) > 1.0
    alone = batch_of(noisy[:1], clean[:1])
    assert heard(half, noisy) == pytest.approx(heard(alone, noisy[:1]) / 2, rel=1e-3)


@pytest.mark.parametrize("objective", [OBJECTIVE, HEARING])
def test_clean_and_silent_clips_have_finite_gradients(objective):
    clean = 0.1 * torch.randn(3, 4_000)
    noisy = clean.clone()
    clean[1] = 0.0
    noisy[2] = clean[2] = 0.0
    filtered = (0.5 * noisy).requires_grad_(True)
    objective.loss(Output(filtered), batch_of(noisy, clean)).backward()
    assert filtered.grad.isfinite().all()


def test_si_sdr_and_its_gain_are_measured(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    error = noisy - clean
    judged = OBJECTIVE.judge(Output(3.0 * (clean + 0.1 * error)), batch)
    for answer in judged:
        assert answer.scores["si_sdr_gain"] == pytest.approx(20.0, abs=0.2)
    assert judged[0].scores["si_sdr"] == pytest.approx(20 + 6.0, abs=1.5)


def test_the_padding_is_not_judged(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    filtered = clean + 0.1 * (noisy - clean)
    filtered[:, 6_000:] = 7.0
    lengths = {"waveform": torch.tensor([6_000, 6_000])}
    cut = Batch(batch.features, lengths, batch.targets)
    assert OBJECTIVE.judge(Output(filtered), cut)[0].scores["si_sdr_gain"] > 15


def test_what_has_no_speech_or_no_noise_is_left_out():
    clean = 0.1 * torch.randn(2, 4_000)
    noisy = clean.clone()
    clean[1] = 0.0
    judged = OBJECTIVE.judge(Output(noisy), batch_of(noisy, clean))
    assert [answer.scores for answer in judged] == [{}, {}]
    assert OBJECTIVE.combine(judged, [1.0, 1.0]).scores == {}
    metrics = OBJECTIVE.metrics()
    OBJECTIVE.update(metrics, judged, [None, None])
    assert all(math.isnan(value) for value in metrics.compute().values())


def test_a_recording_is_the_mean_of_its_windows_by_their_seconds(batch):
    noisy, clean = batch.features["waveform"].unbind(1)
    first, second = OBJECTIVE.judge(Output(torch.stack([clean[0] + 0.1 * (noisy - clean)[0], noisy[1]])), batch)
    whole = OBJECTIVE.combine([first, second], [3.0, 1.0])
    assert whole.scores["si_sdr_gain"] == pytest.approx(15.0, abs=0.3)


def test_a_corpus_is_scored_by_what_was_measured_of_it():
    answers = [
        type(OBJECTIVE.decode(Output(torch.zeros(1, 4)))[0])(scores=each) for each in ({"pesq": 1.0}, {}, {"pesq": 2.0})
    ]
    measured = OBJECTIVE.scorer(answers, [None] * 3)
    assert measured([0, 1, 2]) == {"pesq": 1.5}
    assert measured([2, 2]) == {"pesq": 2.0}
    assert measured([1]) == {}
