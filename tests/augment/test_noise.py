"""Noise: its level is measured, and no noise is decoded twice."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avpipe.augment import ColouredNoise, Noise, folder
from avpipe.errors import ArgumentError
from avpipe.media import read_clip, write_audio
from tests.clips import clip_of, generator_of, power_db
from tests.synthetic import RATE_HZ, noise, tone


@pytest.fixture
def noises(tmp_path):
    for name, seconds in (("short", 0.3), ("long", 5.0), ("deep/other", 1.0)):
        path = tmp_path / "noises" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, noise(seconds, seed=len(name)), RATE_HZ)
    return tmp_path / "noises"


def ratio_db(clip, changed):
    return power_db(clip.waveform) - power_db(changed.waveform.astype(np.float64) - clip.waveform)


@pytest.mark.parametrize("wanted_db", [-5.0, 0.0, 10.0, 30.0])
def test_the_ratio_is_the_one_asked_for(noises, wanted_db):
    clip = clip_of(tone(2.0))
    for transform in (Noise(noises, wanted_db, wanted_db, 1.0), ColouredNoise(wanted_db, wanted_db, 1.0)):
        for index in range(10):
            assert ratio_db(clip, transform(clip, generator_of(index))) == pytest.approx(wanted_db, abs=0.1)


def test_ratios_cover_the_range_for_that_part_of_the_clips(noises):
    clip = clip_of(tone(0.2))
    for transform in (Noise(noises, 0.0, 20.0, 0.5), ColouredNoise(0.0, 20.0, 0.5)):
        changed = [transform(clip, generator_of(index)) for index in range(200)]
        ratios = [ratio_db(clip, each) for each in changed if each is not clip]
        assert 70 < len(ratios) < 130
        assert -0.1 < min(ratios) < 2.0
        assert 18.0 < max(ratios) < 20.1


@settings(deadline=None, max_examples=30)
@given(index=st.integers(0, 10_000), exponent=st.floats(0.0, 2.0))
def test_the_colour_is_the_one_asked_for(index, exponent):
    quiet = np.full((1, 4 * RATE_HZ), 1e-3, np.float32)
    coloured = ColouredNoise(-60.0, -60.0, 1.0, exponent, exponent)(clip_of(quiet), generator_of(index))
    power = np.abs(np.fft.rfft(coloured.waveform[0] - quiet[0])) ** 2
    frequencies_hz = np.fft.rfftfreq(4 * RATE_HZ, 1 / RATE_HZ)
    octaves = [power[(frequencies_hz >= low) & (frequencies_hz < 2 * low)].mean() for low in (125, 500, 2000)]
    slope = np.polyfit(np.log([125.0, 500.0, 2000.0]), np.log(octaves), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.15)


def test_noise_is_a_stretch_of_a_file_from_anywhere_in_it(noises, tmp_path):
    recorded = read_clip(noises / "long.wav", mono=True).waveform[0]
    (noises / "short.wav").unlink()
    (noises / "deep" / "other.wav").unlink()
    starts = []
    for index in range(30):
        clip = clip_of(np.full((2, 4000), 0.1, np.float32))
        mixed = Noise(noises, 0.0, 0.0, 1.0)(clip, generator_of(index)).waveform - clip.waveform
        np.testing.assert_array_equal(mixed[0], mixed[1])
        likeness = np.correlate(recorded, mixed[0], "valid")
        start = int(likeness.argmax())
        stretch = recorded[start : start + 4000]
        scale = np.vdot(mixed[0], stretch) / np.vdot(stretch, stretch)
        np.testing.assert_allclose(mixed[0], scale * stretch, atol=1e-5)
        starts.append(start / (len(recorded) - 4000))
    assert min(starts) < 0.15
    assert max(starts) > 0.85


def test_a_short_noise_goes_round(noises):
    (noises / "long.wav").unlink()
    (noises / "deep" / "other.wav").unlink()
    clip = clip_of(tone(1.0))
    recorded = read_clip(noises / "short.wav", mono=True).waveform[0]
    period, starts = round(0.3 * RATE_HZ), []
    for index in range(20):
        mixed = Noise(noises, 0.0, 0.0, 1.0)(clip, generator_of(index)).waveform - clip.waveform
        np.testing.assert_allclose(mixed[:, period:], mixed[:, :-period], atol=1e-6)
        likeness = np.fft.irfft(np.fft.rfft(mixed[0, :period]).conj() * np.fft.rfft(recorded))
        starts.append(int(likeness.argmax()) / period)
    assert min(starts) < 0.2
    assert max(starts) > 0.8


def test_silence_is_neither_raised_nor_turned_into_nan(tmp_path, noises):
    silent = clip_of(np.zeros((1, 1000), np.float32))
    assert Noise(noises, 0.0, 0.0, 1.0)(silent, generator_of()).waveform.tobytes() == silent.waveform.tobytes()
    assert not ColouredNoise(0.0, 0.0, 1.0)(silent, generator_of()).waveform.any()
    write_audio(tmp_path / "silent" / "a.wav", np.zeros((1, 1000), np.float32), RATE_HZ)
    clip = clip_of(tone(0.1))
    np.testing.assert_array_equal(
        Noise(tmp_path / "silent", 0.0, 0.0, 1.0)(clip, generator_of()).waveform, clip.waveform
    )


def test_from_the_second_use_on_nothing_is_opened(noises, monkeypatch):
    opened = []

    def counted(path, *arguments, **options):
        opened.append(path.name)
        return read_clip(path, *arguments, **options)

    monkeypatch.setattr(folder, "read_clip", counted)
    transform, clip = Noise(noises, 0.0, 10.0, 1.0), clip_of(tone(0.1))
    for index in range(50):
        transform(clip, generator_of(index))
    assert sorted(opened) == ["long.wav", "other.wav", "short.wav"]


def test_what_is_kept_is_bounded_and_does_not_matter(noises, monkeypatch):
    clip = clip_of(tone(0.1))
    fresh = [Noise(noises, 0.0, 10.0, 1.0)(clip, generator_of(index)).waveform.tobytes() for index in range(20)]
    monkeypatch.setattr(folder, "_MOST_FILES", 1)
    bounded = Noise(noises, 0.0, 10.0, 1.0)
    assert [bounded(clip, generator_of(index)).waveform.tobytes() for index in range(20)] == fresh
    assert len(bounded.folder._kept) == 1


def test_a_noise_is_read_at_the_clips_rate(noises):
    for path in noises.rglob("*.wav"):
        path.unlink()
    write_audio(noises / "hum.wav", tone(2.0, 440.0, rate_hz=44_100), 44_100)
    clip = clip_of(np.full((1, 8000), 0.1, np.float32), sample_rate=8000)
    mixed = Noise(noises, -10.0, -10.0, 1.0)(clip, generator_of()).waveform - clip.waveform
    spectrum = np.abs(np.fft.rfft(mixed[0]))
    assert spectrum.argmax() == 440


def test_an_unreadable_noise_is_told_of_and_changes_nothing(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    clip = clip_of(tone(0.1))
    with pytest.warns(UserWarning, match=r"not mixed in: .*text\.wav"):
        assert Noise(tmp_path, 0.0, 0.0, 1.0)(clip, generator_of()) is clip


def test_a_missing_or_empty_folder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("AVPIPE_CORPORA", raising=False)
    for root, reason in ((tmp_path, "holds no media file"), (tmp_path / "none", "no such folder"), (None, "neither")):
        with pytest.raises(ArgumentError, match=reason) as caught:
            Noise(root, 0.0, 10.0, 1.0)
        line = str(caught.value)
        assert "\n" not in line
        assert "recorded noises" in line
        assert root is None or str(root) in line


def test_a_folder_that_is_not_given_is_found_among_the_corpora(noises, tmp_path, monkeypatch):
    (tmp_path / "noises").rename(tmp_path / "noise")
    monkeypatch.setenv("AVPIPE_CORPORA", str(tmp_path))
    assert len(Noise(None, 0.0, 10.0, 1.0).folder) == 3


def test_a_wide_ratio_stays_finite():
    faint = clip_of(np.full((1, 1000), 2e-6, np.float32))
    changed = ColouredNoise(-60.0, -60.0, 1.0)(faint, generator_of()).waveform
    assert np.isfinite(changed).all()
    assert math.isclose(power_db(changed - faint.waveform), power_db(faint.waveform) + 60.0, abs_tol=0.1)
