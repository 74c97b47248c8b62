"""The spectrum of a sound in which a filter works, and the sound of it."""

import numpy as np

WINDOW_SEC = 0.032
"""Of the transform; it steps by half of it. The whole look-ahead is one window: nothing else looks into the future."""

NUM_BINS = 257
"""From 0 Hz up to 8 kHz, at any rate."""


class Spectrum:
    """The lower bins of a short-time Fourier transform, and back; the same as :class:`avpipe.networks.Stft`, by FFT.

    A network carries the transform as convolutions, so that it learns through it and is exported; where sound is only
    passed through, at whatever rate, this takes fewer operations.

    Args:
        window_length: in samples, even; the hop is half of it.
        num_bins: how many bins are told, from 0 Hz upwards; those beyond half the sample rate are zeros.
    """

    def __init__(self, window_length: int, num_bins: int = NUM_BINS) -> None:
        self.window_length = window_length
        self.hop_length = window_length // 2
        self.num_bins = num_bins
        self.own_bins = min(num_bins, window_length // 2 + 1)
        self._window = np.sin(np.pi * np.arange(window_length) / window_length).astype(np.float32)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """
        Shape:
            waveform: (B, samples), float32, at least one window; returns (B, frames, num_bins), complex64, of windows
            that begin at sample 0, ``hop_length``, ...: as many as fit.
        """
        frames = np.lib.stride_tricks.sliding_window_view(waveform, self.window_length, axis=1)[:, :: self.hop_length]
        bins = np.fft.rfft(frames * (self._window * np.float32(2.0 / self.window_length)))[..., : self.own_bins]
        return np.pad(bins, ((0, 0), (0, 0), (0, self.num_bins - self.own_bins)))

    def inverse(self, spectrum: np.ndarray) -> np.ndarray:
        """
        Shape:
            spectrum: (B, frames, num_bins), complex64; returns (B, (frames + 1) * hop_length), float32. Its first and
            its last half window lack what a window before and a window behind would add.
        """
        frames = np.fft.irfft(spectrum[..., : self.own_bins], self.window_length)
        frames *= self._window * np.float32(self.window_length / 2.0)
        sound = np.zeros((len(spectrum), (spectrum.shape[1] + 1) * self.hop_length), np.float32)
        sound[:, : -self.hop_length] += frames[..., : self.hop_length].reshape(len(spectrum), -1)
        sound[:, self.hop_length :] += frames[..., self.hop_length :].reshape(len(spectrum), -1)
        return sound
