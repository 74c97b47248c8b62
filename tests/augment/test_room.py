"""Rooms, measured on their answer to an impulse."""

import numpy as np
import pytest

from avpipe.augment import RecordedRoom, RoomResponse
from avpipe.errors import ArgumentError
from avpipe.media import write_audio
from tests.clips import clip_of, generator_of, power_db
from tests.synthetic import RATE_HZ, noise


def impulse(seconds: float = 2.0, at: int = 0) -> np.ndarray:
    waveform = np.zeros((1, round(seconds * RATE_HZ)), np.float32)
    waveform[0, at] = 1.0
    return waveform


def response_of(room, index: int = 0) -> np.ndarray:
    return room(clip_of(impulse()), generator_of(index)).waveform[0].astype(np.float64)


def decay_time_sec(response: np.ndarray) -> float:
    """RT60 by Schroeder's backward integration, from the fall between 5 and 25 dB of what comes after 60 ms."""
    tail = response[round(0.06 * RATE_HZ) :]
    energy_db = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2) + 1e-12)
    within = np.flatnonzero((energy_db < -5.0) & (energy_db > -25.0))
    slope_db = np.polyfit(within / RATE_HZ, energy_db[within], 1)[0]
    return -60.0 / slope_db


@pytest.mark.parametrize("wanted_sec", [0.3, 0.5, 1.0])
def test_the_tail_falls_by_sixty_decibels_in_the_time_asked_for(wanted_sec):
    room = RoomResponse(wanted_sec, wanted_sec, 0.0, 0.0, 1.0)
    for index in range(10):
        assert decay_time_sec(response_of(room, index)) == pytest.approx(wanted_sec, rel=0.2)


@pytest.mark.parametrize("wanted_db", [-6.0, 0.0, 12.0])
def test_direct_path_and_the_rest_stand_in_the_ratio_asked_for(wanted_db):
    response = response_of(RoomResponse(0.4, 0.4, wanted_db, wanted_db, 1.0))
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(wanted_db, abs=0.1)
    assert np.sum(response**2) == pytest.approx(1.0, abs=1e-3)


def test_some_reflections_stand_out_early():
    response = np.abs(response_of(RoomResponse(0.5, 0.5, 0.0, 0.0, 1.0)))[1:]
    outstanding = np.flatnonzero(response > 0.6 * response.max()) / RATE_HZ
    assert 3 <= len(outstanding) <= 6
    assert outstanding.min() >= 0.0018
    assert outstanding.max() <= 0.051


def test_the_direct_path_is_not_delayed_and_the_length_stays():
    clip = clip_of(impulse(at=5000))
    changed = RoomResponse(0.2, 0.8, 3.0, 3.0, 1.0)(clip, generator_of()).waveform
    assert changed.shape == clip.waveform.shape
    assert changed.dtype == np.float32
    assert np.abs(changed).argmax() == 5000
    assert np.abs(changed[0, :5000]).max() < 1e-5


def test_the_level_stays_about_as_it_was():
    clip = clip_of(noise(2.0, channels=2))
    for index in range(10):
        changed = RoomResponse(0.2, 0.8, -3.0, 12.0, 1.0)(clip, generator_of(index)).waveform
        assert power_db(changed) == pytest.approx(power_db(clip.waveform), abs=1.0)


@pytest.mark.parametrize("samples", [1, 2, 100])
def test_a_clip_shorter_than_the_response_passes(samples):
    changed = RoomResponse(0.01, 0.5, 0.0, 0.0, 1.0)(clip_of(np.ones((1, samples), np.float32)), generator_of())
    assert changed.waveform.shape == (1, samples)
    assert np.isfinite(changed.waveform).all()


def test_a_recorded_room_starts_with_its_peak_and_has_unit_energy(tmp_path):
    recorded = np.zeros((1, 4000), np.float32)
    recorded[0, 500], recorded[0, 1300] = 0.4, -0.3
    write_audio(tmp_path / "hall.wav", recorded, RATE_HZ)
    response = response_of(RecordedRoom(tmp_path, 1.0))
    assert response[0] == pytest.approx(0.8, abs=1e-3)
    assert response[800] == pytest.approx(-0.6, abs=1e-3)
    assert np.abs(np.delete(response, [0, 800])).max() < 1e-3


def test_a_silent_response_changes_nothing(tmp_path):
    write_audio(tmp_path / "none.wav", np.zeros((1, 100), np.float32), RATE_HZ)
    clip = clip_of(impulse())
    assert RecordedRoom(tmp_path, 1.0)(clip, generator_of()) is clip


def test_a_folder_without_responses_is_one_line(tmp_path):
    with pytest.raises(ArgumentError, match=r"holds no media file; fill it with impulse responses of rooms"):
        RecordedRoom(tmp_path, 1.0)


def test_a_room_needs_a_time():
    with pytest.raises(ValueError, match="low_sec"):
        RoomResponse(0.0, 0.5, 0.0, 0.0, 1.0)
