"""The filter: any rate, any blocks, any channels; nothing lags, nothing is lost, and no more is changed than asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe import Denoiser
from avpipe.errors import ArgumentError
from tests.tiny import denoiser_bundle, save_denoiser_bundle, save_tiny_bundle

BUNDLE = denoiser_bundle()
DENOISER = Denoiser(BUNDLE)
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)


def noise(channels, samples, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, samples))).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    rate=st.sampled_from(RATES),
    channels=st.integers(1, 3),
    samples=st.integers(0, 60_000),
    sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=12),
)
def test_blocks_of_any_sizes_give_what_the_whole_gives(rate, channels, samples, sizes):
    waveform = noise(channels, samples)
    stream, parts, place = DENOISER.stream(rate, channels), [], 0
    for size in sizes:
        parts.append(stream.push(waveform[:, place : place + size]))
        place += size
    parts += [stream.push(waveform[:, place:]), stream.finish()]
    blocks = np.concatenate(parts, 1)
    assert blocks.shape == waveform.shape
    if samples:
        assert np.abs(blocks - DENOISER(waveform, rate)).max() < 1e-5


@pytest.mark.parametrize("rate", [*RATES, 1_000, 192_000])
def test_without_a_mask_the_sound_is_as_it_came(rate):
    waveform = noise(2, rate // 3 + 7)
    assert np.abs(Denoiser(BUNDLE, strength=0.0)(waveform, rate) - waveform).max() < 1e-6


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_is_the_share_of_the_filtered_sound(strength):
    waveform = noise(1, 10_000)
    expected = (1 - strength) * waveform + strength * DENOISER(waveform, 16_000)
    assert np.allclose(Denoiser(BUNDLE, strength=strength)(waveform, 16_000), expected, atol=1e-6)


def test_attenuation_has_the_bound_asked_for():
    waveform = noise(1, 10_000)
    least = 10 ** (-12 / 20)
    expected = least * waveform + (1 - least) * DENOISER(waveform, 16_000)
    assert np.allclose(Denoiser(BUNDLE, max_attenuation_db=12.0)(waveform, 16_000), expected, atol=1e-6)
    assert np.allclose(Denoiser(BUNDLE, max_attenuation_db=0.0)(waveform, 16_000), waveform, atol=1e-6)


def test_all_channels_get_one_mask():
    left = noise(1, 10_000)
    both = DENOISER(np.concatenate([left, 0.25 * left]), 16_000)
    assert np.allclose(both[1], 0.25 * both[0], atol=1e-6)
    assert np.allclose(both[0], DENOISER(left[0], 16_000), atol=1e-5)


def test_a_silent_channel_changes_nothing_and_stays_silent():
    left = noise(1, 10_000)
    both = DENOISER(np.concatenate([left, np.zeros_like(left)]), 16_000)
    assert np.allclose(both[0], DENOISER(left[0], 16_000), atol=1e-6)
    assert not both[1].any()


def test_channels_that_cancel_are_heard():
    left = noise(1, 10_000)
    both = DENOISER(np.concatenate([left, -left]), 16_000)
    assert np.allclose(both[0], -both[1], atol=1e-6)
    assert both.std() > 0.5 * DENOISER(left, 16_000).std()


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_a_click_stays_where_it_is(rate):
    waveform = np.zeros((1, rate), np.float32)
    waveform[0, rate // 3] = 0.5
    assert np.abs(DENOISER(waveform, rate)[0]).argmax() == rate // 3


def test_above_the_learned_bins_one_gain_holds_for_all_frequencies():
    rate, samples = 48_000, 48_000
    time = np.arange(samples) / rate
    spectra = []
    low = np.fft.irfft(np.fft.rfft(noise(1, samples)) * (np.fft.rfftfreq(samples, 1 / rate) < 7_500)).astype(np.float32)
    for tone_hz in (0.0, 12_000.0, 20_000.0):
        waveform = low + 0.05 * np.sin(2 * np.pi * tone_hz * time).astype(np.float32)
        spectra.append(DENOISER(waveform, rate)[0])
    gains = [np.abs(each - spectra[0])[5_000:-5_000].max() / 0.05 for each in spectra[1:]]
    assert gains[0] == pytest.approx(gains[1], rel=0.02)


def test_the_shape_comes_back():
    for shape in ((0,), (1,), (700,), (2, 0), (2, 300), (1, 1)):
        assert DENOISER(np.zeros(shape), 16_000).shape == shape


def test_doubles_are_taken():
    assert DENOISER(noise(1, 500).astype(np.float64), 16_000).dtype == np.float32


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros((1, 2, 3)),
        np.zeros(5, np.int16),
        np.array([0.0, np.nan]),
        np.array([[0.0, np.inf]]),
        np.zeros((16_000, 2)),
    ],
)
def test_what_is_no_sound_is_refused_in_a_line(waveform):
    with pytest.raises(ArgumentError, match="waveform"):
        DENOISER(waveform, 16_000)


@pytest.mark.parametrize("arguments", [{"strength": 1.1}, {"strength": -0.1}, {"max_attenuation_db": -1.0}])
def test_settings_out_of_range_are_refused(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        Denoiser(BUNDLE, **arguments)


def test_a_block_of_other_channels_is_refused():
    with pytest.raises(ArgumentError, match="block"):
        DENOISER.stream(16_000, 2).push(noise(1, 100))


@pytest.mark.parametrize("arguments", [(0, 1), (16_000, 0), (16_000.5, 1), ("16k", 1), (None, 1)])
def test_a_stream_of_nothing_sensible_is_refused(arguments):
    with pytest.raises(ArgumentError, match="no whole number"):
        DENOISER.stream(*arguments)


def test_a_finished_stream_takes_no_more():
    stream = DENOISER.stream(16_000, 1)
    stream.push(noise(1, 700))
    stream.finish()
    with pytest.raises(ArgumentError, match="finished"):
        stream.push(noise(1, 700))


def test_a_block_that_is_not_finite_is_refused():
    with pytest.raises(ArgumentError, match="NaN"):
        DENOISER.stream(16_000, 1).push(np.full((1, 700), np.nan))


@pytest.mark.parametrize("live", [False, True])
def test_samples_come_less_than_a_window_late_once_the_noise_is_known(live):
    """Live from the first sample on, otherwise from 2 s on."""
    stream, samples, given = DENOISER.stream(16_000, 1, live), noise(1, 64_000), 0
    for first in range(0, 64_000, 100):
        given += stream.push(samples[:, first : first + 100]).shape[1]
        taken = first + 100
        assert given == 0 if not live and taken < 32_000 else min(taken, 256) <= taken - given < 512


def test_live_differs_from_the_whole_at_the_beginning_alone():
    samples = np.concatenate([noise(1, 32_000), np.zeros((1, 16_000), np.float32), noise(1, 16_000, 1)], 1)
    stream = DENOISER.stream(16_000, 1, live=True)
    live = np.concatenate([stream.push(samples), stream.finish()], 1)
    differences = np.abs(live - DENOISER(samples, 16_000))[0]
    assert differences[:8_000].max() > 10 * differences[-8_000:].max()


def test_a_bundle_is_loaded_by_its_folder_and_must_be_a_filter(tmp_path):
    waveform = noise(1, 4_000)
    saved = save_denoiser_bundle(tmp_path / "mine")
    assert np.allclose(Denoiser(saved)(waveform, 16_000), DENOISER(waveform, 16_000), atol=1e-6)
    with pytest.raises(ArgumentError, match="no denoising filter"):
        Denoiser(save_tiny_bundle(tmp_path / "words"))
