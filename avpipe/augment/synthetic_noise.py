"""Noises made by code, so that a filter has met more of them than any folder holds."""

import math
from collections.abc import Callable

import numpy as np

from avpipe.augment.draw import log_uniform
from avpipe.augment.fourier import fast_length

NoiseMaker = Callable[[int, int, np.random.Generator], np.ndarray]
"""From a number of samples, a sample rate in Hz and a generator to a noise, (samples,) float32 of any level."""

_FLAT_BELOW_HZ = 50.0
"""Coloured noise does not rise further below: it would be all rumble that nobody hears."""


def coloured_noise(samples: int, sample_rate: int, exponent: float, generator: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency f as f ** -exponent above 50 Hz, and is even below.

    Shape:
        returns (samples,), float32: the beginning of a periodic noise, which takes one transform.
    """
    length = fast_length(max(samples, 2))
    frequencies_hz = np.fft.rfftfreq(length, 1.0 / sample_rate).astype(np.float32)
    drawn = generator.standard_normal((len(frequencies_hz), 2), dtype=np.float32).view(np.complex64)[:, 0]
    gains = np.maximum(frequencies_hz / np.float32(_FLAT_BELOW_HZ), np.float32(1.0)) ** np.float32(-exponent / 2.0)
    gains[0] = 0.0  # a constant is no sound
    noise: np.ndarray = np.fft.irfft(drawn * gains, length, norm="forward")
    return noise[:samples]


def shaped_noise(samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Noise of a drawn colour with drawn hills and valleys: fans, engines, wind, water, the hiss of a preamplifier."""
    noise = coloured_noise(samples, sample_rate, generator.uniform(-0.5, 2.5), generator)
    return equalised(noise, sample_rate, generator.uniform(0.0, 12.0), generator)


def modulated_noise(samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Shaped noise that swells and fades at a drawn pace: waves, passing cars, chopping blades."""
    noise = shaped_noise(samples, sample_rate, generator)
    return noise * envelope(samples, sample_rate, log_uniform(0.5, 12.0, generator), 20.0, generator)


def hum(samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Mains hum: harmonics of 50 or 60 Hz, or of a machine at a drawn speed, over a little hiss."""
    mains = generator.random() < 0.6
    base_hz = float(generator.choice([50.0, 60.0])) if mains else log_uniform(60.0, 500.0, generator)
    count = min(int(generator.integers(1, 24)), int(0.5 * sample_rate / base_hz))
    time = np.arange(samples, dtype=np.float32) * np.float32(2.0 * math.pi * base_hz / sample_rate)
    sound = np.zeros(samples, np.float32)
    for harmonic, phase in enumerate(generator.uniform(0.0, 2.0 * math.pi, count), 1):
        level_db = generator.uniform(-24.0, 0.0) - 6.0 * math.log2(harmonic) * generator.uniform(0.3, 1.0)
        sound += np.float32(10.0 ** (level_db / 20.0)) * np.sin(harmonic * time + np.float32(phase))
    hiss = shaped_noise(samples, sample_rate, generator)
    return sound + hiss * np.float32(0.1 * float(np.std(sound)) / (float(np.std(hiss)) + 1e-12))


def knocks(samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Short ringing bursts at drawn times: keys, dishes, steps, doors, clicks."""
    sound = np.zeros(samples, np.float32)
    pace_hz = log_uniform(0.5, 12.0, generator)
    own = shaped_noise(max(samples, sample_rate // 2), sample_rate, generator)
    count = max(1, int(generator.poisson(pace_hz * samples / sample_rate)))
    for start in generator.integers(0, samples, count).tolist():
        length = min(samples - start, round(log_uniform(0.003, 0.25, generator) * sample_rate))
        if length < 2:
            continue
        first = int(generator.integers(len(own) - length + 1))
        decay = np.exp(np.linspace(0.0, -7.0, length, dtype=np.float32))
        level = np.float32(10.0 ** (generator.uniform(-18.0, 0.0) / 20.0))
        sound[start : start + length] += level * decay * own[first : first + length]
    return sound


def tones(samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Gliding, trembling tones that come and go: alarms, whistles, birds, squeaks, chords without a voice."""
    sound = np.zeros(samples, np.float32)
    time = np.arange(samples, dtype=np.float32) / np.float32(sample_rate)
    for _ in range(int(generator.integers(1, 6))):
        start_hz = log_uniform(150.0, 0.4 * sample_rate, generator)
        glide = generator.normal(0.0, 0.3)
        depth, pace_hz = log_uniform(0.001, 0.1, generator), log_uniform(0.5, 15.0, generator)
        octaves = glide * time + depth * np.sin(np.float32(2.0 * math.pi * pace_hz) * time)
        frequency_hz = np.clip(start_hz * np.exp2(octaves), 50.0, 0.45 * sample_rate)
        phase = np.cumsum(frequency_hz, dtype=np.float64) * (2.0 * math.pi / sample_rate)
        tone = np.sin(phase).astype(np.float32)
        gate = envelope(samples, sample_rate, log_uniform(0.5, 8.0, generator), 40.0, generator)
        sound += np.float32(generator.uniform(0.1, 1.0)) * tone * gate
    return sound


NOISE_MAKERS: tuple[NoiseMaker, ...] = (shaped_noise, modulated_noise, hum, knocks, tones)


def envelope(
    samples: int, sample_rate: int, pace_hz: float, depth_db: float, generator: np.random.Generator
) -> np.ndarray:
    """Gains that wander between 0 and about ``-depth_db`` decibels, ``pace_hz`` turns a second.

    Shape:
        returns (samples,), float32.
    """
    knots = generator.uniform(-depth_db, 0.0, max(2, math.ceil(samples / sample_rate * pace_hz * 2.0) + 1))
    places = np.linspace(0.0, len(knots) - 1.0, samples)
    # Over the cosine rather than straight: a kink is a click.
    left = np.minimum(places.astype(int), len(knots) - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (places - left))
    level_db = knots[left] * (1.0 - blend) + knots[left + 1] * blend
    return np.float32(10.0) ** (level_db.astype(np.float32) / np.float32(20.0))


def equalised(waveform: np.ndarray, sample_rate: int, depth_db: float, generator: np.random.Generator) -> np.ndarray:
    """The sound under a smooth gain over frequency, drawn with a standard deviation of ``depth_db`` decibels.

    Shape:
        waveform: (..., samples), float32; returned in the same shape.
    """
    samples = waveform.shape[-1]
    length = fast_length(samples + sample_rate // 20)
    frequencies_hz = np.fft.rfftfreq(length, 1.0 / sample_rate)
    knots_hz = np.geomspace(60.0, 0.5 * sample_rate, 8)
    level_db = np.interp(np.log(frequencies_hz + 1.0), np.log(knots_hz), generator.normal(0.0, depth_db, len(knots_hz)))
    gains = (10.0 ** (level_db / 20.0)).astype(np.float32)
    return np.ascontiguousarray(np.fft.irfft(np.fft.rfft(waveform, length) * gains, length)[..., :samples])
