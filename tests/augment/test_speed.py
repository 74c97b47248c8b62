"""Speed, measured on tones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.augment import PitchShift, Speed
from tests.clips import clip_of, generator_of, peak_hz, power_db
from tests.synthetic import RATE_HZ, tone


def at_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    return Speed(factor, factor)(clip_of(waveform), generator_of()).waveform


@pytest.mark.parametrize("factor", [0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5])
def test_a_tone_rises_by_the_factor_and_shortens_by_it(factor):
    changed = at_speed(tone(2.0, 1000.0), factor)
    assert peak_hz(changed) == pytest.approx(1000.0 * factor, rel=2e-3)
    assert changed.shape[1] == pytest.approx(2.0 * RATE_HZ / factor, rel=2e-3)
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    assert power_db(changed[:, middle]) == pytest.approx(power_db(tone(2.0, 1000.0)), abs=0.05)


def test_nothing_folds_back():
    """7.6 kHz at a speed of 1.1 would be 8.36 kHz: it is gone, where a naive change leaves 7.64 kHz at full level."""
    changed = at_speed(tone(2.0, 7600.0), 1.1)
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    assert power_db(changed[:, middle]) < power_db(tone(2.0, 7600.0)) - 70.0


def test_beside_a_tone_there_is_nothing():
    for frequency_hz in (300.0, 1000.0, 6000.0):
        changed = at_speed(tone(2.0, frequency_hz), 1.1)[0, RATE_HZ // 4 : -RATE_HZ // 4]
        spectrum = np.abs(np.fft.rfft(changed * np.blackman(len(changed))))
        line = spectrum.argmax()
        beside = np.delete(spectrum, np.arange(line - 8, line + 9))
        assert 20 * np.log10(beside.max() / spectrum[line]) < -70.0


def test_the_band_is_level_and_then_closes():
    """At a speed of 1.1 half the sample rate was 7273 Hz; the filter closes over 4 % of it."""
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)

    def loss_db(frequency_hz):
        return power_db(tone(2.0, frequency_hz)) - power_db(at_speed(tone(2.0, frequency_hz), 1.1)[:, middle])

    assert loss_db(6900.0) == pytest.approx(0.0, abs=0.05)
    assert loss_db(7127.0) == pytest.approx(6.0, abs=1.0)
    assert loss_db(7240.0) > 25.0


def test_an_impulse_stays_where_its_time_says():
    impulse = np.zeros((1, 16000), np.float32)
    impulse[0, 8000] = 1.0
    for factor in (0.8, 1.0001, 1.2):
        assert np.abs(at_speed(impulse, factor)).argmax() == pytest.approx(8000 / factor, abs=12)


@settings(deadline=None, max_examples=40)
@given(samples=st.integers(1, 5000), channels=st.integers(1, 2), factor=st.floats(0.5, 2.0))
def test_silence_stays_silent_at_any_length(samples, channels, factor):
    changed = at_speed(np.zeros((channels, samples), np.float32), factor)
    assert changed.dtype == np.float32
    assert changed.shape[0] == channels
    assert changed.shape[1] == pytest.approx(samples / factor, rel=0.01, abs=1)
    assert not changed.any()


def test_factors_cover_the_range_for_that_part_of_the_clips():
    sound = tone(0.5, 1000.0)
    lengths = [Speed(0.9, 1.1, probability=0.5)(clip_of(sound), generator_of(i)).waveform.shape[1] for i in range(200)]
    assert 70 < sum(length == sound.shape[1] for length in lengths) < 130
    assert 0.9 * 0.998 <= sound.shape[1] / max(lengths) < 0.91
    assert 1.09 < sound.shape[1] / min(lengths) <= 1.1 * 1.002


def test_a_range_upside_down_is_refused():
    with pytest.raises(ValueError, match="low"):
        Speed(1.1, 0.9)


@pytest.mark.parametrize("factor", [0.8, 1.5, 1.9])
@pytest.mark.parametrize("tempo", [0.7, 1.0])
def test_pitch_and_tempo_change_apart(factor, tempo):
    clip = clip_of(tone(1.0, 500.0))
    changed = PitchShift(factor, factor, tempo, tempo, 1.0)(clip, generator_of(0)).waveform
    assert changed.shape[1] == pytest.approx(clip.waveform.shape[1] / tempo, rel=0.01)
    assert peak_hz(changed) == pytest.approx(500.0 * factor, rel=0.01)
    assert changed[:, 2000:-2000].std() == pytest.approx(clip.waveform.std(), rel=0.15)


def test_a_pitch_that_cannot_be_is_refused():
    for arguments in ((0.0, 1.0, 1.0, 1.0), (1.2, 1.0, 1.0, 1.0), (1.0, 1.0, 1.1, 1.0), (1.0, 1.0, 0.0, 1.0)):
        with pytest.raises(ValueError, match="must lie above 0"):
            PitchShift(*arguments, 1.0)
