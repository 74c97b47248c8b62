"""A small picture of a file, from what is decoded of it anyway: a frame of a film, the spectrogram of a sound."""

from dataclasses import dataclass

import numpy as np

from avpipe.report.images import jpeg_bytes, mel_pixels

FRAME_PX = 90
"""A frame's shorter side is no longer: it is shown at half of it, and many screens have two points a pixel."""
SOUND_SEC = 30.0
"""Of a sound so much is shown, from its beginning."""

_COLUMNS = 180
_MAX_FRAMES = 32


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture, and what it shows."""

    alt: str
    jpeg: bytes


class Sketch:
    """Takes the windows of a file as they come, and keeps little of them."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, np.ndarray]] = []
        self._every = 1
        """Of so many windows one frame is kept, more evenly spread the longer the film."""
        self._num_windows = 0
        self._spectra: list[np.ndarray] = []
        self._sound_sec = 0.0

    def add_frames(self, frames: np.ndarray, times_sec: np.ndarray) -> None:
        """
        Shape:
            frames: (T, H, W, 3), uint8, T at least 1; times_sec: (T,).
        """
        if self._num_windows % self._every == 0:
            middle = len(frames) // 2
            self._frames.append((float(times_sec[middle]), _shrunk(frames[middle])))
        self._num_windows += 1
        if len(self._frames) > _MAX_FRAMES:
            self._frames = self._frames[::2]
            self._every *= 2

    def add_sound(self, samples: np.ndarray, sample_rate: int) -> None:
        """
        Args:
            samples: of a stretch behind the last one.
            sample_rate: Hz.

        Shape:
            samples: (N,).
        """
        if self._sound_sec < SOUND_SEC and len(samples):
            self._spectra.append(_spectra(samples, sample_rate))
            self._sound_sec += len(samples) / sample_rate

    def thumbnail(self) -> Thumbnail | None:
        """The frame in the middle; of a file without pictures, its sound; None where there was neither."""
        if self._frames:
            time_sec, frame = self._frames[len(self._frames) // 2]
            return Thumbnail(f"frame at {time_sec:.1f} s", jpeg_bytes(frame))
        if not self._spectra:
            return None
        what = "the first " if self._sound_sec >= SOUND_SEC else ""
        pixels = mel_pixels(np.concatenate(self._spectra, axis=1), _COLUMNS)
        return Thumbnail(f"spectrogram of {what}{self._sound_sec:.1f} s", jpeg_bytes(pixels))


def _shrunk(frame: np.ndarray) -> np.ndarray:
    """A frame whose shorter side is about FRAME_PX at most, by the means of blocks.

    Shape:
        frame: (H, W, 3), uint8; returns (h, w, 3), uint8.
    """
    step = max(1, round(min(frame.shape[:2]) / FRAME_PX))
    height, width = (side // step for side in frame.shape[:2])
    blocks = frame[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round().astype(np.uint8))


_STEP_SEC, _LENGTH_SEC, _NUM_BANDS, _LOWEST_HZ = 0.04, 0.064, 40, 60.0


def _spectra(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Decibels of bands that widen upwards, a column every 40 ms; for the eye alone.

    Shape:
        samples: (N,); returns (bands, columns), float32, at least one column.
    """
    length, step = round(_LENGTH_SEC * sample_rate), round(_STEP_SEC * sample_rate)
    samples = np.pad(samples, (0, max(0, length - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::step]
    power = np.abs(np.fft.rfft(frames * np.hanning(length))) ** 2
    edges = np.geomspace(_LOWEST_HZ, sample_rate / 2.0, _NUM_BANDS + 1) * length / sample_rate
    firsts = np.minimum(edges[:-1].astype(int), power.shape[1] - 1)
    ends = np.maximum(firsts + 1, edges[1:].astype(int))
    means = np.stack([power[:, first:end].mean(1) for first, end in zip(firsts, ends, strict=True)])
    return (10.0 * np.log10(means + 1e-10)).astype(np.float32)
