"""Filters by Fourier transform, and energies; in numpy without BLAS, so that any number of threads gives equal bits."""

from collections.abc import Callable

import numpy as np


def _smooth_numbers(limit: int) -> np.ndarray:
    numbers = [1]
    for prime in (2, 3, 5, 7, 11):
        grown: list[int] = []
        for number in numbers:
            while number <= limit:
                grown.append(number)
                number *= prime
        numbers = grown
    return np.array(sorted(numbers))


FAST_LENGTHS = _smooth_numbers(2**30)
"""Lengths without a prime factor above 11, which numpy transforms without a detour."""


def fast_length(samples: int) -> int:
    """The least of :data:`FAST_LENGTHS` that holds ``samples``."""
    return int(FAST_LENGTHS[np.searchsorted(FAST_LENGTHS, samples)])


def filtered(
    waveform: np.ndarray, sample_rate: int, response: Callable[[np.ndarray], np.ndarray], margin_sec: float
) -> np.ndarray:
    """The waveform with each frequency multiplied by a gain: no frequency is delayed.

    Args:
        waveform: (channels, samples), float32; returned in the same shape.
        sample_rate: in Hz.
        response: from frequencies in Hz to gains.
        margin_sec: silence added behind, so that what rings over one end does not come in at the other.
    """
    samples = waveform.shape[1]
    length = fast_length(samples + round(margin_sec * sample_rate))
    gains = response(np.fft.rfftfreq(length, 1.0 / sample_rate)).astype(np.float32)
    spectrum = np.fft.rfft(waveform, length) * gains
    return np.ascontiguousarray(np.fft.irfft(spectrum, length)[:, :samples])


def energy(waveform: np.ndarray) -> float:
    """The sum of squares."""
    return float(np.square(waveform, dtype=np.float64).sum())


def convolved(waveform: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The waveform under an impulse response, cut to its own length.

    Shape:
        waveform: (channels, samples), float32; response: (taps,), float32, the same for all channels.
    """
    samples = waveform.shape[1]
    response = response[:samples]
    length = fast_length(samples + len(response) - 1)
    spectrum = np.fft.rfft(waveform, length) * np.fft.rfft(response, length)
    return np.ascontiguousarray(np.fft.irfft(spectrum, length)[:, :samples])
