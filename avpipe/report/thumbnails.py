"""A small picture of a file: the middle frame of a film, the envelope of a sound."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.errors import AvpipeError
from avpipe.media import ClipFormat, DamagedMedia, WindowPlan, probe, read_clip, stream_clips
from avpipe.report.images import jpeg_uri

FRAME_PX = 90
"""Length of a frame's shorter side: it is shown at half of it, and many screens have two points a pixel."""

NUM_PEAKS = 80
MAX_SOUND_SEC = 120.0
"""Only so much of a sound is decoded for its envelope."""

QUIET = 1e-3
"""What never is louder is drawn as silence: an envelope fills its picture, and noise must not look like speech."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Either a picture or an envelope."""

    alt: str
    picture: str = ""
    """A data URI."""
    outline: str = ""
    """Points of an SVG polygon in a box of NUM_PEAKS x 40."""


def thumbnail(path: Path) -> Thumbnail | None:
    """A small picture of a media file; None where there is none to be had."""
    try:
        info = probe(path)
        if info.video:
            return _middle_frame(path, info.end_sec or 0.0)
        return _envelope(path)
    except (AvpipeError, OSError, ValueError, RuntimeError):  # the row tells what is wrong with the file
        return None


def _middle_frame(path: Path, end_sec: float) -> Thumbnail:
    def frame_at(time_sec: float) -> Thumbnail:
        clip = read_clip(path, time_sec, 0.04, audio=False, video=True, size_px=FRAME_PX, stride_sec=1.0)
        if clip.frames is None:
            raise DamagedMedia(path, f"no frame at {time_sec:g} s")
        return Thumbnail(f"frame at {time_sec:.1f} s", picture=jpeg_uri(clip.frames[0]))

    try:
        return frame_at(end_sec / 2)
    except DamagedMedia:  # a truncated film may end before its middle
        return frame_at(0.0)


def _envelope(path: Path) -> Thumbnail:
    plan = WindowPlan(10.0, 10.0, ClipFormat(mono=True))
    levels: list[np.ndarray] = []
    with stream_clips(path, [plan], 0.0, MAX_SOUND_SEC) as clips:
        for _, clip in clips:
            if clip.waveform is not None:
                levels.append(np.abs(clip.waveform[0]))
                rate = clip.sample_rate or 1
    level = np.concatenate(levels)
    cuts = np.unique(np.linspace(0, len(level), NUM_PEAKS + 1).astype(int))[:-1]
    peaks = np.maximum.reduceat(level, cuts)
    peaks = peaks / max(QUIET, float(peaks.max()))
    places = np.linspace(0, NUM_PEAKS, len(peaks))
    half = 19 * peaks + 0.5
    above = [f"{place:.0f},{20 - height:.1f}" for place, height in zip(places, half, strict=True)]
    below = [f"{place:.0f},{20 + height:.1f}" for place, height in zip(places[::-1], half[::-1], strict=True)]
    seconds = len(level) / rate
    told = f"the first {seconds:.0f} s" if seconds >= MAX_SOUND_SEC - 0.1 else f"{seconds:.1f} s"
    return Thumbnail(f"envelope of {told}", outline=" ".join(above + below))
