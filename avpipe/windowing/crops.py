"""Squares of pictures that a network sees."""

from dataclasses import dataclass
from typing import Any

_PLACES = {1: (0.5,), 3: (0.0, 0.5, 1.0)}
"""Where the crops lie along the longer side, by their number."""


@dataclass(frozen=True, slots=True)
class Crops:
    """The square in the middle, or several along the longer side, whose answers are averaged.

    Raises:
        ValueError: for another number of crops.
    """

    crop_px: int
    crops: int = 1

    def __post_init__(self) -> None:
        if self.crops not in _PLACES:
            raise ValueError(f"crops={self.crops} is none of: {', '.join(map(str, _PLACES))}")

    def views(self, frames: Any) -> list[Any]:
        """Each of the crops; of a picture that is as wide as high they lie side by side.

        Shape:
            frames: (T, H, W, 3), an array or a tensor; returns views of it, (T, crop_px, crop_px, 3) each.
        """
        return [self._square(frames, place) for place in _PLACES[self.crops]]

    def _square(self, frames: Any, place: float) -> Any:
        """The square at a place in [0, 1] along the longer side, in the middle of the shorter one."""
        height, width = frames.shape[1:3]
        down, across = (place, 0.5) if height > width else (0.5, place)
        top, left = int(down * (height - self.crop_px)), int(across * (width - self.crop_px))
        return frames[:, top : top + self.crop_px, left : left + self.crop_px]
