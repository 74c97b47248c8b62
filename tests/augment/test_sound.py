"""Level and place of a sound."""

import numpy as np
import pytest

from avpipe.augment import Gain, RandomPlacement, TimeShift, item_generator
from tests.clips import clip_of, generator_of
from tests.synthetic import noise


def test_gain_stays_within_its_range_and_keeps_the_type():
    waveform = np.ones((1, 10), np.float32)
    gains_db = []
    for index in range(200):
        changed = Gain(-10.0, 6.0)(clip_of(waveform), item_generator(0, 0, index)).waveform
        assert changed.dtype == np.float32
        gains_db.append(20 * np.log10(changed[0, 0]))
    assert -10.0 <= min(gains_db) < -8.0
    assert 4.0 < max(gains_db) <= 6.0


def test_a_short_recording_is_placed_anywhere_in_its_window_over_quiet_noise():
    word = np.full((1, 2000), 0.5, np.float32)
    begins, lengths = [], []
    for index in range(200):
        clip = clip_of(word, sample_rate=8000)
        waveform = RandomPlacement(1.0, -90.0, -40.0)(clip, item_generator(0, 0, index)).waveform
        heard = np.flatnonzero(waveform[0] > 0.25)
        assert len(heard) == 2000
        assert np.diff(heard).max() == 1
        begins.append(heard[0])
        lengths.append(waveform.shape[1])
        around = np.delete(waveform[0], heard)
        assert around.std() < 0.0105 if len(around) else True
    assert min(begins) < 200
    assert 5800 < max(begins) <= 6000
    assert max(lengths) <= 8000


def test_a_recording_longer_than_its_window_keeps_its_length():
    clip = clip_of(np.zeros((1, 9000), np.float32), sample_rate=8000)
    assert RandomPlacement(1.0, -90.0, -40.0)(clip, item_generator(0, 0, 0)).waveform.shape == (1, 9000)


def test_a_shift_moves_every_sample_alike_and_lets_silence_in():
    sound = np.abs(noise(0.5, channels=2)) + np.float32(0.001)  # no sample is silent
    shifts = []
    for index in range(100):
        moved = TimeShift(0.1)(clip_of(sound), generator_of(index)).waveform
        assert moved.shape == sound.shape
        heard = np.flatnonzero(moved[0])
        lost = sound.shape[1] - len(heard)
        shift = heard[0] if heard[0] else -lost
        kept = sound[:, max(-shift, 0) : sound.shape[1] - max(shift, 0)]
        np.testing.assert_array_equal(moved[:, heard], kept)
        shifts.append(shift)
    assert -1600 <= min(shifts) < -1400
    assert 1400 < max(shifts) <= 1600


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_a_shift_leaves_half_of_a_short_clip(samples):
    for index in range(50):
        moved = TimeShift(9.0)(clip_of(np.ones((1, samples), np.float32)), generator_of(index)).waveform
        assert samples // 2 <= np.count_nonzero(moved) <= samples
