"""The filter that ships, on real voices: it takes noise out, and does no harm."""

import numpy as np
import pytest

from avpipe import Denoiser
from avpipe.corpora import Mixtures
from avpipe.inference.denoise.scores import score_recording
from avpipe.media import read_clip

pytestmark = pytest.mark.corpora

RATE_HZ = 48_000
FRAME = 1_536


@pytest.fixture(scope="module")
def denoiser():
    return Denoiser("denoise")


@pytest.fixture(scope="module")
def voices(corpora):
    """One recording in forty of RAVDESS: studio speech at 48 kHz, of which nothing was learned."""
    clips = [read_clip(path) for path in sorted((corpora / "ravdess").rglob("*.opus"))[::40]]
    assert {clip.sample_rate for clip in clips} == {RATE_HZ}
    return [clip.waveform[0] for clip in clips]


def frame_powers(waveform):
    return np.square(waveform[: len(waveform) // FRAME * FRAME].reshape(-1, FRAME)).mean(1)


def above_8_khz(waveform):
    spectrum = np.fft.rfft(waveform)
    spectrum[np.fft.rfftfreq(len(waveform), 1 / RATE_HZ) < 8_000] = 0
    return np.fft.irfft(spectrum, len(waveform))


def db(ratio):
    return 10 * np.log10(ratio)


def test_clean_speech_stays_what_it_is(denoiser, voices):
    ratios, level_changes, hiss_changes = [], [], []
    for clean in voices:
        filtered = denoiser(clean, RATE_HZ)
        target = clean * (filtered @ clean) / (clean @ clean)
        ratios.append(db((target @ target) / np.square(filtered - target).sum()))
        before, after = frame_powers(clean), frame_powers(filtered)
        active = before > 1e-3 * before.max()
        level_changes.append(db(after[active].mean() / before[active].mean()))
        hiss_changes.append(db(np.square(above_8_khz(filtered)).sum() / np.square(above_8_khz(clean)).sum()))
    assert np.mean(ratios) >= 25.0
    assert abs(np.mean(level_changes)) <= 0.5
    assert np.mean(hiss_changes) >= -2.0


def test_noise_above_8_khz_falls_with_the_rest(denoiser, voices):
    draw = np.random.default_rng(0)
    low, high = [], []
    for clean in voices[:10]:
        noise = draw.standard_normal(len(clean)) * clean.std() * 10 ** (-10 / 20)
        noisy = (clean + noise).astype(np.float32)
        filtered = denoiser(noisy, RATE_HZ)
        powers = frame_powers(clean)
        pauses = powers < 1e-3 * powers.max()
        changes = [
            db(frame_powers(above_8_khz(filtered))[pauses].mean() / frame_powers(above_8_khz(noisy))[pauses].mean()),
            db(frame_powers(filtered)[pauses].mean() / frame_powers(noisy)[pauses].mean()),
        ]
        high.append(changes[0])
        low.append(changes[1])
    assert np.mean(high) < -10.0
    assert np.mean(high) < np.mean(low) + 6.0


def test_speech_in_noise_gains(denoiser, corpora):
    mixtures = [(mixture, example) for mixture, example in Mixtures(corpora).mixtures if mixture.side == "val"]
    noisy = [example for mixture, example in mixtures if mixture.snr_db <= 15][::4]
    gains = [score_recording(denoiser, example)["si_sdr_gain"] for example in noisy]
    assert len(gains) >= 10
    assert np.mean(gains) >= 4.0
