"""Clips made of arrays, for tests of what changes clips."""

from pathlib import Path

import numpy as np

from avpipe.media import Clip, Coverage
from tests.synthetic import RATE_HZ

COVERAGE = Coverage(asked_sec=1.0, decoded_sec=1.0, decoder="soundfile")


def clip_of(waveform=None, frames=None, sample_rate=RATE_HZ, times_sec=None):
    """A clip of read-only arrays, as a memory map gives them: what changes its input fails."""
    if frames is not None and times_sec is None:
        times_sec = 0.5 + np.arange(len(frames)) / 8.0
    arrays = waveform, frames, times_sec
    for array in arrays:
        if array is not None:
            array.flags.writeable = False
    rate = None if waveform is None else sample_rate
    return Clip(Path("x.wav"), 0.5, waveform, rate, frames, times_sec, COVERAGE)


def generator_of(index: int = 0) -> np.random.Generator:
    return np.random.default_rng(index)


def power_db(waveform: np.ndarray) -> float:
    """Mean power in decibels of full scale."""
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)) + 1e-30))


def peak_hz(waveform: np.ndarray, sample_rate: int = RATE_HZ) -> float:
    """Frequency of the strongest line, to a fraction of a hertz, of (1, samples)."""
    samples = waveform[0] * np.hanning(waveform.shape[1])
    spectrum = np.abs(np.fft.rfft(samples, 16 * len(samples)))
    return float(np.fft.rfftfreq(16 * len(samples), 1 / sample_rate)[spectrum.argmax()])
