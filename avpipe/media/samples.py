"""Samples as float32 arrays of shape (channels, samples): conversion, mixing, resampling."""

from typing import cast

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

Waveform = np.ndarray
"""(channels, samples) float32."""

SAMPLE_TYPES: dict[str, tuple[str, float]] = {
    "u8": ("u1", 128.0),
    "s16": ("i2", 32768.0),
    "s32": ("i4", 2147483648.0),
    "flt": ("f4", 1.0),
    "dbl": ("f8", 1.0),
}
"""Array type, and the value that becomes 1.0, by packed FFmpeg sample format. 24-bit sound comes in the upper bits
of s32."""


def float_samples(frame: AudioFrame) -> Waveform:
    """The samples of a decoded frame, scaled by its format (never by what the samples happen to be).

    Float samples of one channel are not copied: the array lies in FFmpeg's memory, and keeps it.
    """
    name = frame.format.packed.name
    if name not in SAMPLE_TYPES:  # 64-bit integers
        (frame,) = AudioResampler(format="dblp").resample(frame)
        name = "dbl"
    dtype, full_scale = SAMPLE_TYPES[name]
    channels = frame.layout.nb_channels
    count = frame.samples if frame.format.is_planar else frame.samples * channels
    planes = [np.frombuffer(cast("memoryview[int]", plane), np.dtype(dtype), count) for plane in frame.planes]
    samples = np.stack(planes) if len(planes) > 1 else planes[0].reshape(-1, channels).T
    if full_scale == 1.0:
        return samples.astype(np.float32, copy=False)
    scaled = samples.astype(np.float32)
    if name == "u8":
        scaled -= full_scale
    scaled *= 1.0 / full_scale
    return scaled


LARGEST_SAMPLE = 1e10
"""Floats of whole numbers of 32 bits, which full scale 1 was never applied to, are still sound."""


def finite_samples(waveform: Waveform) -> tuple[Waveform, list[tuple[int, int]]]:
    """The waveform with silence for whatever is no sample, and the [start, end) of each such stretch.

    Only float files can hold NaN, infinities and numbers whose square is infinite. One of them would make every feature
    of its window NaN.
    """
    if not waveform.size or (waveform.min() >= -LARGEST_SAMPLE and waveform.max() <= LARGEST_SAMPLE):
        return waveform, []
    bad = ~(np.abs(waveform) <= LARGEST_SAMPLE)
    flags = np.concatenate([[False], bad.any(axis=0), [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(flags))
    return np.where(bad, np.float32(0), waveform), list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def conformed(waveform: Waveform, rate: int, channels: int, to_rate: int) -> Waveform:
    """A stretch whose layout or rate differs from its file's beginning, made like the beginning.

    Shape:
        returns (channels, samples); other channel counts are averaged and spread.
    """
    if waveform.shape[0] != channels:
        waveform = np.repeat(waveform.mean(axis=0, keepdims=True, dtype=np.float32), channels, axis=0)
    return resampled(waveform, rate, to_rate)


def resampled(waveform: Waveform, rate: int, to_rate: int) -> Waveform:
    """The waveform at another rate, by soxr HQ; round(samples * to_rate / rate) samples."""
    if rate == to_rate or not waveform.shape[1]:
        return waveform
    samples = waveform[0] if waveform.shape[0] == 1 else waveform.T
    changed: np.ndarray = soxr.resample(samples, rate, to_rate, quality="HQ")
    return changed[np.newaxis] if changed.ndim == 1 else np.ascontiguousarray(changed.T)


class Resampler:
    """One channel at another rate, piece by piece: together what :func:`resampled` makes of all at once, by soxr HQ.

    Args:
        rate: Hz, of what comes in.
        to_rate: Hz, of what goes out.
    """

    def __init__(self, rate: int, to_rate: int) -> None:
        self._stream = soxr.ResampleStream(rate, to_rate, 1, dtype="float32", quality="HQ")

    def __call__(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """What can be told by now; the last piece, which may be empty, brings the rest.

        Shape:
            samples: (any number,), float32; returns (any number,), float32.
        """
        changed: np.ndarray = self._stream.resample_chunk(samples, last=last)
        return changed


def mixed_to_mono(waveform: Waveform) -> Waveform:
    """The mean over channels, as (1, samples)."""
    return waveform if waveform.shape[0] == 1 else waveform.mean(axis=0, keepdims=True, dtype=np.float32)
