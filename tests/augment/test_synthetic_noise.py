"""Noises made by code."""

import numpy as np
import pytest

from avpipe.augment.synthetic_noise import NOISE_MAKERS, envelope, equalised, hum
from tests.clips import generator_of
from tests.synthetic import RATE_HZ, noise


@pytest.mark.parametrize("make", NOISE_MAKERS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("samples", [200, RATE_HZ])
def test_a_noise_is_of_the_length_asked_for_and_repeats_by_its_generator(make, samples):
    for index in range(20):
        made = make(samples, RATE_HZ, generator_of(index))
        assert (made.shape, made.dtype) == ((samples,), np.float32)
        assert np.isfinite(made).all()
        assert np.array_equal(made, make(samples, RATE_HZ, generator_of(index)))
    assert not np.array_equal(make(samples, RATE_HZ, generator_of(1)), make(samples, RATE_HZ, generator_of(2)))


def test_hum_is_lines_at_multiples_of_one_frequency():
    bases_hz = set()
    for index in range(20):
        power = np.abs(np.fft.rfft(hum(RATE_HZ, RATE_HZ, generator_of(index)))) ** 2
        bases_hz.add(int(power[:520].argmax()))
    assert {50, 60} <= bases_hz


def test_an_envelope_stays_within_its_depth_and_has_no_jumps():
    gains = envelope(RATE_HZ, RATE_HZ, 4.0, 20.0, generator_of(0))
    assert (gains.min() >= 0.1 - 1e-6, gains.max() <= 1.0 + 1e-6) == (True, True)
    assert gains.max() / gains.min() > 2.0
    assert np.abs(np.diff(gains)).max() < 0.01


def test_an_equaliser_delays_nothing():
    click = np.zeros((2, 4_000), np.float32)
    click[:, 1_000] = 1.0
    assert (np.abs(equalised(click, RATE_HZ, 6.0, generator_of(3))).argmax(1) == 1_000).all()


def test_an_equaliser_of_no_depth_changes_nothing():
    sound = noise(0.5)
    assert np.allclose(equalised(sound, RATE_HZ, 0.0, generator_of(0)), sound, atol=1e-5)
