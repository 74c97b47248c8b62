"""Samples as float32 arrays of shape (channels, samples): conversion, mixing, resampling."""

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

Waveform = np.ndarray
"""(channels, samples) float32."""

FULL_SCALE = {"u8": 128.0, "s16": 32768.0, "s32": 2147483648.0, "flt": 1.0, "dbl": 1.0}
"""The value that becomes 1.0, by packed FFmpeg sample format. 24-bit sound comes in the upper bits of s32."""


def float_samples(frame: AudioFrame) -> Waveform:
    """The samples of a decoded frame, scaled by its format (never by what the samples happen to be)."""
    name = frame.format.packed.name
    if name not in FULL_SCALE:  # 64-bit integers: no array type for them in PyAV
        (frame,) = AudioResampler(format="dblp").resample(frame)
        name = "dbl"
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if name in ("flt", "dbl"):
        return samples.astype(np.float32, copy=False)
    scaled = samples.astype(np.float32)
    if name == "u8":
        scaled -= 128.0
    scaled *= 1.0 / FULL_SCALE[name]
    return scaled


def finite_samples(waveform: Waveform) -> tuple[Waveform, list[tuple[int, int]]]:
    """The waveform with silence for whatever is not a number, and the [start, end) of each such stretch.

    Only float files can hold such samples. One of them would make every feature of its window NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(waveform.sum()):
            return waveform, []
    bad = ~np.isfinite(waveform)
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


def mixed_to_mono(waveform: Waveform) -> Waveform:
    """The mean over channels, as (1, samples)."""
    return waveform if waveform.shape[0] == 1 else waveform.mean(axis=0, keepdims=True, dtype=np.float32)
