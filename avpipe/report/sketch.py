"""A small picture of a file, from what is decoded and heard of it anyway: a frame of a film, the log-mel of a sound."""

from dataclasses import dataclass

import numpy as np

from avpipe.report.images import jpeg_bytes, mel_pixels

FRAME_PX = 90
"""A frame's shorter side is no longer: it is shown at half of it, and many screens have two points a pixel."""
SOUND_SEC = 30.0
"""Of a sound so much is shown, from its beginning."""

_MEL_COLUMNS = 180
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
        self._mels: list[np.ndarray] = []
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

    def add_mel(self, mel: np.ndarray, seconds: float) -> None:
        """
        Args:
            mel: of a stretch behind the last one, in any scale.
            seconds: its length.

        Shape:
            mel: (n_mels, frames).
        """
        if self._sound_sec < SOUND_SEC and mel.shape[1]:
            self._mels.append(mel.copy())
            self._sound_sec += seconds

    def thumbnail(self) -> Thumbnail | None:
        """The frame in the middle; of a file without pictures, its sound; None where there was neither."""
        if self._frames:
            time_sec, frame = self._frames[len(self._frames) // 2]
            return Thumbnail(f"frame at {time_sec:.1f} s", jpeg_bytes(frame))
        if not self._mels:
            return None
        what = "the first " if self._sound_sec >= SOUND_SEC else ""
        pixels = mel_pixels(np.concatenate(self._mels, axis=1), _MEL_COLUMNS)
        return Thumbnail(f"log-mel of {what}{self._sound_sec:.1f} s", jpeg_bytes(pixels))


def _shrunk(frame: np.ndarray) -> np.ndarray:
    """A frame whose shorter side is about FRAME_PX at most, by the means of blocks.

    Shape:
        frame: (H, W, 3), uint8; returns (h, w, 3), uint8.
    """
    step = max(1, round(min(frame.shape[:2]) / FRAME_PX))
    height, width = (side // step for side in frame.shape[:2])
    blocks = frame[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.asarray(blocks.mean(axis=(1, 3)).round().astype(np.uint8))
