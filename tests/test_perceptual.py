"""The perceptual distance: what a listener would say, and gradients to learn from."""

import itertools
import math

import numpy as np
import pytest
import torch

from avpipe.networks import Stft
from avpipe.objectives import Enhancement
from avpipe.objectives.perceptual import SAMPLE_RATE, WINDOW_LENGTH, PerceptualDistance

STFT = Stft(WINDOW_LENGTH, WINDOW_LENGTH // 2 + 1)


def voice(seconds=2.0, seed=0):
    """Harmonics that come and go in syllables."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120.0 + 20.0 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    tone = sum(np.sin(number * phase + generator.uniform(0, 6)) / number for number in range(1, 30))
    return torch.tensor(0.1 * tone * np.clip(np.sin(2 * np.pi * 3.0 * time), 0.0, 1.0), dtype=torch.float32)[None]


def noise(like, seed=1):
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)) * like.square().mean().sqrt()


def distance(said, true):
    return PerceptualDistance()(*(STFT(each).square().sum(1) for each in (said, true)))


def test_it_grows_with_the_noise_and_is_nothing_without():
    clean = voice()
    found = [float(distance(clean + noise(clean) * 10 ** (-snr / 20), clean)) for snr in (60, 30, 20, 10, 0)]
    assert float(distance(clean, clean)) < 0.01
    assert all(less < more for less, more in itertools.pairwise(found))
    assert found[-1] > 3.0


def test_level_and_the_beginning_of_a_batch_do_not_matter():
    clean, other = voice(), voice(seed=2)
    noisy, worse = clean + 0.1 * noise(clean), other + noise(other)
    alone = distance(noisy, clean)
    torch.testing.assert_close(distance(10.0 * noisy, 0.1 * clean), alone, rtol=1e-3, atol=1e-4)
    both = distance(torch.cat([worse, noisy]), torch.cat([other, clean]))
    torch.testing.assert_close(both[1:], alone)


def test_it_orders_sounds_as_the_standard_does():
    standard = pytest.importorskip("pesq").pesq
    ours, theirs = [], []
    for seed in range(6):
        clean = voice(seed=seed)
        for snr in (0, 10, 20, 30):
            noisy = clean + noise(clean, seed) * 10 ** (-snr / 20)
            ours.append(float(distance(noisy, clean)))
            theirs.append(standard(SAMPLE_RATE, clean[0].numpy(), noisy[0].numpy(), "wb"))
    opinions = 0.999 + 4.0 / (1.0 + np.exp(-1.3669 * (4.5 - np.array(ours)) + 3.8224))
    assert np.corrcoef(opinions, theirs)[0, 1] > 0.9


@pytest.mark.parametrize("kind", ["noisy", "equal", "silent", "pausing"])
def test_gradients_are_finite(kind):
    clean = voice()
    if kind == "pausing":
        clean[:, : clean.shape[1] // 2] = 0.0
    if kind == "silent":
        clean = torch.zeros_like(clean)
    said = (clean + (0.1 * noise(voice()) if kind == "noisy" else 0.0)).requires_grad_()
    distance(said, clean).sum().backward()
    assert said.grad.isfinite().all()
    assert kind != "noisy" or said.grad.abs().max() > 0


def test_descending_it_takes_noise_away():
    clean = voice()
    noisy = clean + 0.3 * noise(clean)
    gain = torch.ones(1, WINDOW_LENGTH // 2 + 1, requires_grad=True)
    optimizer = torch.optim.Adam([gain], 0.05)
    power, true = (STFT(each).square().sum(1) for each in (noisy, clean))
    first = float(PerceptualDistance()(power, true))
    for _ in range(30):
        loss = PerceptualDistance()(power * gain.square(), true).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.9 * first


def test_it_needs_its_own_window():
    with pytest.raises(ValueError, match="window_length"):
        Enhancement(perceptual_weight=1.0, window_length=256)
    assert math.isfinite(Enhancement(window_length=256).ceiling)
