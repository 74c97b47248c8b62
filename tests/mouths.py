"""Drawn films of a mouth that opens for each letter, each in its own way; what they say is known."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from avpipe.media import write_video

HEIGHT_PX, WIDTH_PX = 48, 64
SHAPES = {" ": (0.7, 0.06), "a": (0.6, 0.9), "o": (0.3, 0.6), "e": (0.95, 0.3)}
"""(width, height) of the mouth in units of its place, by letter."""
LETTER_SEC = 0.16
EDGE_SEC = 0.2
"""Closed, before the text and behind it."""
PLACE = (0.34, 0.5, 0.66, 0.92)
"""Left, top, right, bottom of the mouth's place, in fractions of the picture."""


def duration_sec(text: str) -> float:
    return len(text) * LETTER_SEC + 2 * EDGE_SEC


def picture(
    text: str, time_sec: float, place: Sequence[float] = PLACE, size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX)
) -> np.ndarray:
    """(height, width, 3) uint8: a face without anything but a dark mouth, as it is at a time."""
    letter, phase = divmod((time_sec - EDGE_SEC) / LETTER_SEC + 1e-3, 1.0)  # a rounded time is of the same letter
    spoken = text[int(letter)] if 0 <= letter < len(text) else " "
    openness = np.sin(np.pi * phase) if spoken != " " else 1.0
    width, height = SHAPES[spoken]
    left, top, right, bottom = np.array(place) * (size[1], size[0], size[1], size[0])
    down, across = np.mgrid[: size[0], : size[1]] + 0.5
    radius_x = width * (right - left) / 2
    radius_y = max(0.06, height * openness) * (bottom - top) / 2
    distance = ((across - (left + right) / 2) / radius_x) ** 2 + ((down - (top + bottom) / 2) / radius_y) ** 2
    frame = np.full((*size, 3), (190, 150, 130), np.float64)
    frame[distance < 1.0] = 60, 20, 20
    return frame.astype(np.uint8)


def write_talk(
    path: Path,
    text: str,
    *,
    fps: float = 25,
    times_sec: Sequence[float] | None = None,
    start_sec: float = 0.0,
    places: Iterable[Sequence[float]] | None = None,
    size: tuple[int, int] = (HEIGHT_PX, WIDTH_PX),
    waveform: np.ndarray | None = None,
    rotation_deg: int = 0,
) -> Path:
    """A film without loss in which a mouth says ``text``.

    Args:
        path: ends in ``.mkv``.
        text: of the letters of ``SHAPES``.
        fps: frames a second, where no times are given.
        times_sec: of the frames, from the beginning of the talk.
        start_sec: at which the picture begins.
        places: of the mouth, one a frame; None: always ``PLACE``.
        size: height and width of the picture.
        waveform: (1, samples) at 16 kHz, from time zero.
        rotation_deg: turn that players are told; the stored picture is turned the other way.
    """
    times = np.arange(round(duration_sec(text) * fps)) / fps if times_sec is None else np.asarray(times_sec)
    where = [PLACE] * len(times) if places is None else list(places)
    frames = [picture(text, time, place, size) for time, place in zip(times, where, strict=True)]
    write_video(
        path,
        [np.rot90(frame, -rotation_deg // 90) for frame in frames],
        times_sec=(times + start_sec).tolist(),
        codec="libx264rgb",
        options={"qp": "0", "preset": "ultrafast"},
        waveform=waveform,
        sample_rate=16000 if waveform is not None else None,
        rotation_deg=rotation_deg,
    )
    return path


def write_boxes(path: Path, rows: Iterable[Sequence[float]], columns: str = "time_sec,left,top,right,bottom") -> Path:
    """A table of boxes."""
    path.write_text("".join(f"{line}\n" for line in (columns, *(",".join(map(str, row)) for row in rows))))
    return path
