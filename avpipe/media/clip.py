"""The types that decoding speaks in: what was asked of a file, and what came out of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class ClipFormat:
    """What a clip is to hold, and in which form."""

    audio: bool = True
    video: bool = False
    sample_rate: int | None = None
    """Hz; None keeps the file's own."""
    mono: bool = False
    """True averages the channels into one."""
    size_px: int | tuple[int, int] | None = None
    """Length of the shorter side (the picture keeps its shape), or exact (height, width); None keeps the file's own."""
    stride_sec: float | None = None
    """Time between two frames: the frames on show at start, start + stride, ... (a frame may come twice); None keeps
    every frame whose presentation time lies in the stretch."""


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Windows of one length, one after the other, over a whole file."""

    window_sec: float
    hop_sec: float
    format: ClipFormat


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was asked for was decoded, and what was lost."""

    asked_sec: float = 0.0
    """Seconds between the start asked for and the end asked for, or the file's promised end if that comes first."""
    decoded_sec: float = 0.0
    """Seconds of those that were decoded."""
    lost_sec: float = 0.0
    """Seconds of those that the file promises and that could not be decoded."""
    gaps: tuple[tuple[float, float], ...] = ()
    """(start, end) in seconds of each damaged stretch within; sound is silent there, or ends with it."""
    truncated: bool = False
    """True where the file ends before its header or framing says, and this stretch reaches that end."""
    frames_decoded: int = 0
    frames_lost: int = 0
    """Video frames that could not be decoded, or that the decoder calls corrupt; they are not delivered."""
    decoder: str = ""
    """``soundfile`` or ``av``."""
    unread_bytes: int = 0
    """Of another film that was put behind this one in an MP4 file; told where the stretch reaches the file's end."""

    def losses(self) -> list[str]:
        """What a reader must know before trusting what was decoded, in words; empty where nothing was lost."""
        lines = []
        if self.truncated:
            lines.append("ends before its header says")
        if self.gaps:
            lines.append(f"{len(self.gaps)} damaged stretch" + ("es" if len(self.gaps) > 1 else ""))
        if self.lost_sec > 0:
            lines.append(f"{self.lost_sec:.3f} s of {self.asked_sec:.3f} s lost")
        if self.frames_lost:
            lines.append(f"{self.frames_lost} frames lost")
        if self.unread_bytes:
            lines.append(f"another film behind this one ({self.unread_bytes} bytes) is not read")
        return lines


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a media file, decoded.

    A sense that was not asked for, that the file lacks, or of which nothing falls into the stretch, is None; an array
    is never empty. Sound is shorter than the stretch only where the sound of the file ends.

    Shape:
        waveform: (channels, samples), float32 in [-1, 1].
        frames: (T, H, W, 3), uint8, RGB, upright.
        frame_times_sec: (T,), float64, presentation times on the file's timeline (never index / fps).
        frame_labels: (kinds, T), float32, what each frame is, where that is known: decoding never tells.
    """

    source: Path
    start_sec: float
    waveform: np.ndarray | None
    sample_rate: int | None
    """Hz."""
    frames: np.ndarray | None
    frame_times_sec: np.ndarray | None
    coverage: Coverage
    frame_labels: np.ndarray | None = None
    picture_px: tuple[int, int] | None = None
    """(height, width) of the upright picture that the frames were scaled from; None: not known."""
