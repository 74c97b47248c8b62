"""One picture a shot, on a sheet for each film."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avpipe.errors import AvpipeError
from avpipe.files import written_whole
from avpipe.media import ClipFormat, WindowPlan, stream_clips

Shot = Mapping[str, Any]

COLUMNS = 6
PICTURE_PX = (90, 160)
"""(height, width) that a picture has at the most; it keeps its shape."""
LINE_PX = 15
GAP_PX = 4
MAX_SHOTS = 600
"""Of a film with more, the first so many are shown: a picture takes as long as some seconds of film."""
SETTLED_SEC = 0.5
"""Into a shot, or as far as its middle: that near to its beginning a picture is found soon, as coders have a whole
picture there."""

_INK, _PAPER = (225, 225, 225), (24, 24, 24)


def write_contact_sheet(path: Path, film: Path, shots: Sequence[Shot], boundaries: Sequence[Mapping[str, Any]]) -> bool:
    """Write a JPEG with a picture of each shot, its number, and when it begins; one that is there already stays.

    Args:
        path: of the sheet.
        film: that is read again.
        shots: with ``start_sec`` and ``end_sec``.
        boundaries: with ``start_sec`` and ``end_sec``: no picture is taken of a gradual transition, where that can be.

    Returns:
        Whether there is a sheet; none is made of a film that can no longer be read.
    """
    shown = shots[:MAX_SHOTS]
    told = json.dumps([[shot["start_sec"], shot["end_sec"]] for shot in shown])
    mark = hashlib.sha256(f"{film.stat().st_mtime_ns if film.exists() else 0} {told}".encode()).hexdigest()
    if _marked(path) == mark:
        return True
    pictures = [_picture(film, time_sec) for time_sec in _moments(shown, boundaries)]
    if not any(picture is not None for picture in pictures):
        return False
    captions = [f"{number}  {_clock(shot['start_sec'])}" for number, shot in enumerate(shown, 1)]
    if len(shots) > len(shown):
        captions[-1] += f" +{len(shots) - len(shown)}"
    with written_whole(path) as part:
        _sheet(pictures, captions).save(part, format="JPEG", quality=85, comment=mark)
    return True


def _marked(path: Path) -> str:
    """Of which shots a sheet is; empty: there is none."""
    try:
        with Image.open(path) as sheet:
            comment = sheet.info.get("comment", b"")
    except OSError:
        return ""
    return comment.decode("ascii", "replace") if isinstance(comment, bytes) else str(comment)


def _moments(shots: Sequence[Shot], boundaries: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    starts = {each["time_sec"]: each["end_sec"] for each in boundaries}
    for shot in shots:
        start = min(starts.get(shot["start_sec"], shot["start_sec"]), shot["end_sec"])
        yield start + min(SETTLED_SEC, (shot["end_sec"] - start) / 2.0)


def _picture(film: Path, time_sec: float) -> np.ndarray | None:
    """The frame on show at a time; None where it cannot be read."""
    plan = WindowPlan(0.04, 0.04, ClipFormat(audio=False, video=True, size_px=PICTURE_PX[0], stride_sec=1.0))
    try:
        with stream_clips(film, [plan], time_sec, time_sec + 0.04) as clips:
            _, clip = next(clips)
    except (AvpipeError, OSError):
        return None
    return None if clip.frames is None else clip.frames[0]


def _sheet(pictures: Sequence[np.ndarray | None], captions: Sequence[str]) -> Image.Image:
    height, width = PICTURE_PX
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP_PX + columns * (width + GAP_PX), GAP_PX + rows * (height + LINE_PX + GAP_PX)), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = GAP_PX + place % columns * (width + GAP_PX)
        top = GAP_PX + place // columns * (height + LINE_PX + GAP_PX)
        if picture is not None:
            small = Image.fromarray(np.ascontiguousarray(picture))
            small.thumbnail((width, height))
            sheet.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
        pen.text((left, top + height), caption, fill=_INK, font=font)
    return sheet


def _clock(sec: float) -> str:
    minutes, seconds = divmod(round(sec * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds / 1000:06.3f}"
