"""Bandwidth, measured on tones."""

import numpy as np
import pytest

from avpipe.augment import BandLimit
from tests.clips import clip_of, generator_of, power_db
from tests.synthetic import RATE_HZ, noise, tone


def loss_db(limit: BandLimit, frequency_hz: float) -> float:
    before = tone(1.0, frequency_hz)
    after = limit(clip_of(before), generator_of()).waveform
    middle = slice(RATE_HZ // 4, -RATE_HZ // 4)
    return power_db(before[:, middle]) - power_db(after[:, middle])


def test_the_edges_lie_three_decibels_down_and_the_slopes_fall():
    telephone = BandLimit([300.0, 300.0], [3400.0, 3400.0], probability=1.0)
    assert loss_db(telephone, 300.0) == pytest.approx(3.01, abs=0.1)
    assert loss_db(telephone, 3400.0) == pytest.approx(3.01, abs=0.1)
    assert loss_db(telephone, 1000.0) == pytest.approx(0.0, abs=0.05)
    assert loss_db(telephone, 150.0) == pytest.approx(36.1, abs=0.5)
    assert loss_db(telephone, 6800.0) == pytest.approx(36.1, abs=0.5)


def test_one_edge_leaves_the_other_side_alone():
    assert loss_db(BandLimit(None, [2000.0, 2000.0], 1.0), 100.0) == pytest.approx(0.0, abs=0.01)
    assert loss_db(BandLimit([2000.0, 2000.0], None, 1.0), 7000.0) == pytest.approx(0.0, abs=0.01)


def test_no_time_is_moved_and_no_constant_is_left():
    impulse = np.zeros((2, 4000), np.float32)
    impulse[:, 2000] = 1.0
    limited = BandLimit([100.0, 100.0], [3000.0, 3000.0], 1.0)(clip_of(impulse), generator_of()).waveform
    assert np.abs(limited).argmax(axis=1).tolist() == [2000, 2000]
    steady = BandLimit([100.0, 100.0], None, 1.0)(clip_of(np.ones((1, 16000), np.float32)), generator_of()).waveform
    assert np.abs(steady[0, 4000:-4000]).max() < 1e-3


def test_an_edge_above_the_clips_own_band_changes_next_to_nothing():
    sound = noise(0.5)
    limited = BandLimit(None, [16000.0, 16000.0], 1.0)(clip_of(sound), generator_of()).waveform
    assert power_db(limited - sound) < power_db(sound) - 60.0


def test_edges_must_be_frequencies_in_order():
    with pytest.raises(ValueError, match="edges"):
        BandLimit([300.0, 100.0], None, 1.0)
    with pytest.raises(ValueError, match="edges"):
        BandLimit(None, [0.0, 100.0], 1.0)
