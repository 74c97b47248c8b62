"""The meter: levels of speech and noise, whatever the blocks, rate and channels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.inference.denoise.measure import Meter
from tests.gate import words

RATE_HZ = 16000


def parts(noise, duration_sec=6.0, rate_hz=RATE_HZ, seed=0):
    """(words alone, noise alone), each (1, samples) float32."""
    speech = words(duration_sec, rate_hz, noise=0.0)
    return speech, words(duration_sec, rate_hz, noise, seed) - speech


def measured(before, after, rate_hz=RATE_HZ, **settings):
    meter = Meter(rate_hz, **settings)
    meter.push(before, after)
    return meter.finish()


def db(power):
    return 10 * np.log10(power)


@pytest.mark.parametrize("noise", [0.2, 0.1, 0.03, 0.01, 0.003])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_the_ratio_of_a_known_mixture_is_found(noise, rate_hz):
    speech, rest = parts(noise, rate_hz=rate_hz)
    told = measured(speech + rest, speech + 0.1 * rest, rate_hz)
    assert told.speech_before_db == pytest.approx(db(0.2**2), abs=0.6)
    assert told.noise_before_db == pytest.approx(db(noise**2), abs=1.5)
    assert told.snr_before_db == pytest.approx(db((0.2 / noise) ** 2), abs=1.5)
    assert told.noise_before_db - told.noise_after_db == pytest.approx(20.0, abs=1.5)
    assert told.removed_db == pytest.approx(db((0.9 * noise) ** 2), abs=0.2)
    assert told.level_change_db == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("strength", [0.3, 0.6, 0.9])
def test_a_weak_filter_hides_nothing(strength):
    speech, rest = parts(0.05)
    mixed = (1 - strength) * (speech + rest) + strength * speech
    told = measured(speech + rest, mixed, least_gain=1 - strength)
    assert told.snr_before_db == pytest.approx(12.0, abs=1.0)
    assert told.noise_before_db - told.noise_after_db == pytest.approx(-20 * np.log10(1 - strength), abs=0.5)


@pytest.mark.parametrize("gain_db", [-6.0, -1.0, 0.0, 2.0])
def test_a_change_of_level_is_found(gain_db):
    speech, rest = parts(0.004)
    told = measured(speech + rest, 10 ** (gain_db / 20) * (speech + 0.1 * rest))
    assert told.level_change_db == pytest.approx(gain_db, abs=0.2)


@pytest.mark.parametrize("noise", [0.2, 0.05])
def test_a_known_gain_changes_levels_by_itself_alone(noise):
    speech, rest = parts(noise)
    filtered = speech + 0.1 * rest
    plain, turned = measured(speech + rest, filtered), measured(speech + rest, 2.0 * filtered, gain=2.0)
    assert turned.speech_before_db == pytest.approx(plain.speech_before_db, abs=0.01)
    assert turned.level_change_db == pytest.approx(plain.level_change_db + db(4.0), abs=0.01)
    assert turned.snr_after_db == pytest.approx(plain.snr_after_db, abs=0.01)


def test_noise_that_comes_and_goes_is_seen_to_fall():
    speech, rest = parts(0.1)
    knocks = rest * (np.arange(rest.shape[1]) % 6_100 < 1_000)
    told = measured(speech + knocks, speech + 0.1 * knocks)
    assert told.noise_before_db - told.noise_after_db == pytest.approx(20.0, abs=1.5)


def test_over_digital_silence_speech_is_60_db_above_noise():
    speech, _ = parts(0.0)
    told = measured(speech, speech)
    assert told.snr_before_db == told.snr_after_db == pytest.approx(60.0)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=12), st.integers(0, 700))
def test_blocks_and_lag_change_nothing(sizes, lag):
    speech, rest = parts(0.05, 1.5)
    before, after = speech + rest, speech + 0.1 * rest
    meter, given_in, given_out = Meter(RATE_HZ), 0, 0
    for size in (*sizes, before.shape[1]):
        end = min(given_in + size, before.shape[1])
        out = end if end == before.shape[1] else max(given_out, end - lag)
        meter.push(before[:, given_in:end], after[:, given_out:out])
        given_in, given_out = end, out
    one, whole = meter.finish(), measured(before, after)
    for name in whole.__slots__:
        assert getattr(one, name) == pytest.approx(getattr(whole, name), abs=1e-6), name


def test_channels_are_measured_together():
    speech, rest = parts(0.05)
    one = measured(speech + rest, speech)
    two = measured(np.repeat(speech + rest, 2, axis=0), np.repeat(speech, 2, axis=0))
    assert two.snr_before_db == pytest.approx(one.snr_before_db, abs=1e-6)


@pytest.mark.parametrize("samples", [0, 1, 300, 16000])
def test_silence_and_nothing_have_no_levels(samples):
    sound = np.zeros((1, samples), np.float32)
    told = measured(sound, sound)
    assert (told.duration_sec, told.sound_sec) == (samples / RATE_HZ, 0.0)
    assert told.snr_before_db is told.snr_after_db is told.level_change_db is told.removed_db is None


def test_noise_alone_has_no_speech():
    _, rest = parts(0.1)
    told = measured(rest, 0.1 * rest)
    assert not told.has_speech
    assert told.snr_before_db is None
    assert told.removed_db == pytest.approx(-20.9, abs=0.2)


def test_what_was_taken_almost_whole_is_no_speech():
    speech, _ = parts(0.0)
    told = measured(speech, 0.1 * speech)
    assert (told.has_speech, told.snr_before_db) == (False, None)
    turned = np.where(np.abs(speech) > 0.27, -speech, 0.1 * speech)
    assert not measured(speech, turned).has_speech


def test_less_than_a_frame_is_measured():
    speech, _ = parts(0.0)
    told = measured(speech[:, :300], 0.1 * speech[:, :300])
    assert told.sound_sec > 0
    assert told.removed_db is not None


def test_clipping_is_noticed():
    speech, _ = parts(0.0)
    assert measured(speech, speech).clipped_share == 0.0
    loud = np.clip(10 * speech, -1, 1)
    assert 0.3 < measured(loud, loud).clipped_share < 0.6
    assert measured(10 * speech, 10 * speech).clipped_share == 0.0  # floats beyond full scale are whole


@pytest.mark.parametrize("sizes", [(8 * RATE_HZ,), (1000, 30_000, 700, 97_000)])
def test_silence_around_a_recording_says_nothing_of_its_noise(sizes):
    speech, rest = parts(0.1, 4.0)
    alone = measured(speech + rest, speech + 0.1 * rest)
    pad = ((0, 0), (2 * RATE_HZ, 2 * RATE_HZ))
    before, after = np.pad(speech + rest, pad), np.pad(speech + 0.1 * rest, pad)
    meter, place = Meter(RATE_HZ), 0
    for size in (*sizes, before.shape[1]):
        meter.push(before[:, place : place + size], after[:, place : place + size])
        place = min(place + size, before.shape[1])
    told = meter.finish()
    for name in ("speech_before_db", "noise_before_db", "noise_after_db", "level_change_db"):
        assert getattr(told, name) == pytest.approx(getattr(alone, name), abs=0.1), name
    assert told.duration_sec == 8.0


def test_a_constant_offset_is_no_noise():
    speech, rest = parts(0.05)
    plain, shifted = (measured(speech + rest + offset, speech + 0.1 * rest + offset) for offset in (0.0, 0.3))
    assert shifted.snr_before_db == pytest.approx(plain.snr_before_db, abs=0.1)


def test_lost_speech_is_a_change_of_level():
    """A third of the words is gone to a third, in a recording that has no noise."""
    speech, rest = parts(0.0005, 6.0)
    lost = np.where(np.arange(speech.shape[1]) % (3 * RATE_HZ // 2) < RATE_HZ // 2, 0.4, 1.0)
    told = measured(speech + rest, (speech + rest) * lost)
    assert told.level_change_db == pytest.approx(db((2 + 0.16) / 3), abs=0.3)
    assert told.has_quiet_pauses
