"""Where in a film's picture to look, over time: boxes from a table."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avpipe.media.errors import UnreadableMedia

BOXES_SUFFIX = ".boxes.csv"
"""Behind the whole name of a film: ``talk.mp4.boxes.csv``."""

_SIDES = ("left", "top", "right", "bottom")
_FRACTIONS = ("time_sec", *_SIDES)
_PIXELS = ("time_sec", *(f"{side}_px" for side in _SIDES))
_REMEDY = f"write {','.join(_FRACTIONS)} in fractions of the picture, or {','.join(_PIXELS[1:])} in pixels"


@dataclass(frozen=True, slots=True, eq=False)
class BoxTrack:
    """Boxes at some times of a film; between them they move evenly, before and after them they stay.

    Shape:
        times_sec: (N,), rising, presentation times. corners: (N, 4): left, top, right, bottom.
    """

    path: Path
    """Of the table."""
    times_sec: np.ndarray
    corners: np.ndarray
    in_pixels: bool
    """Of the upright picture; False: fractions of it."""

    def at(self, times_sec: np.ndarray, picture_px: tuple[int, int]) -> np.ndarray:
        """The boxes at some times, in fractions of the picture; parts of them may lie beyond it.

        Args:
            times_sec: presentation times.
            picture_px: (height, width) of the upright picture.

        Shape:
            times_sec: (T,); returns (T, 4): left, top, right, bottom.

        Raises:
            UnreadableMedia: a box lies outside the picture.
        """
        corners = self._fractions(picture_px)
        outside = (corners[:, :2] >= 1.0).any(1) | (corners[:, 2:] <= 0.0).any(1)
        if outside.any():
            at_sec = self.times_sec[outside.argmax()]
            remedy = "give boxes of this film's upright picture"
            raise UnreadableMedia(self.path, f"the box at {at_sec:g} s lies outside the picture", remedy)
        return np.stack([np.interp(times_sec, self.times_sec, side) for side in corners.T], axis=1)

    def note(self, picture_px: tuple[int, int]) -> str:
        """What is to be told of them, in words; empty where all lie within the picture."""
        corners = self._fractions(picture_px)
        beyond = int(((corners < -1e-6) | (corners > 1.0 + 1e-6)).any(1).sum())
        return f"{beyond} of {len(corners)} boxes reach beyond the picture: moved into it" if beyond else ""

    def note_of_times(self, end_sec: float) -> str:
        """What is to be told of their times, in words; empty where some lie within the film.

        Args:
            end_sec: of the film.
        """
        first, last = float(self.times_sec[0]), float(self.times_sec[-1])
        if first < end_sec and last >= 0.0:
            return ""
        return f"its boxes are of {first:g} s to {last:g} s, and the film of 0 s to {end_sec:g} s: the nearest is used"

    def _fractions(self, picture_px: tuple[int, int]) -> np.ndarray:
        height, width = picture_px
        return self.corners / (width, height, width, height) if self.in_pixels else self.corners


def find_boxes(film: Path, given: Path | None = None) -> BoxTrack | None:
    """The boxes of a film: those given, else those in ``<film>.boxes.csv`` beside it, else None.

    Raises:
        UnreadableMedia: the table is none of boxes.
    """
    path = boxes_file(film) if given is None else given
    return None if path is None else read_boxes(path)


def boxes_file(film: Path) -> Path | None:
    """``<film>.boxes.csv`` beside a film, where there is one."""
    path = film.with_name(film.name + BOXES_SUFFIX)
    return path if path.is_file() else None


def read_boxes(path: Path) -> BoxTrack:
    """Read a CSV table with a line a box: ``time_sec``, and its sides in fractions of the picture or in pixels.

    Raises:
        UnreadableMedia: missing, no such table, empty, times that do not rise, a box without any extent.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "is no table"
        raise UnreadableMedia(path, f"the boxes cannot be read ({reason})", _REMEDY) from error
    header = rows[0] if rows else []
    columns = next((names for names in (_FRACTIONS, _PIXELS) if set(names) <= set(header)), None)
    if columns is None:
        raise UnreadableMedia(path, f"has no columns of boxes (found: {', '.join(header) or 'nothing'})", _REMEDY)
    if len(rows) == 1:
        raise UnreadableMedia(path, "holds no box", "write one a line, or remove the file")
    places = [header.index(name) for name in columns]
    values = np.array([_numbers(path, number, row, places) for number, row in enumerate(rows[1:], start=2)])
    late = np.flatnonzero(np.diff(values[:, 0]) <= 0.0)
    if len(late):
        raise UnreadableMedia(path, f"line {late[0] + 3}: its time does not rise", "sort the lines by time_sec")
    return BoxTrack(path, values[:, 0], values[:, 1:], columns is _PIXELS)


def _numbers(path: Path, line: int, row: list[str], places: list[int]) -> list[float]:
    """Time and sides of one line."""
    try:
        found = [float(row[place]) for place in places]
    except (ValueError, IndexError):
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise UnreadableMedia(path, f"line {line} is no box ({','.join(row)})", "give five numbers")
    _, left, top, right, bottom = found
    if right <= left or bottom <= top:
        raise UnreadableMedia(path, f"line {line}: right must lie beyond left, and bottom below top", "mend the box")
    return found
