"""Squares around the mouth, cut out of decoded pictures."""

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

import numpy as np

from avpipe.media import BoxTrack, Clip

_LATE_SEC = 0.001
"""A frame stamped so much late is still in time: timestamps are rounded to the container's clock."""


@dataclass(frozen=True, slots=True)
class MouthCut:
    """Where squares are cut out, and how large they become; see :class:`avpipe.features.MouthStack`."""

    size_px: int
    stride_sec: float
    box: tuple[float, ...]
    """Left, top, right and bottom, in fractions of the picture, where no boxes are known."""

    def __call__(self, clip: Clip, boxes: BoxTrack | None) -> Clip:
        """The clip with squares in place of its pictures, in step with the clip.

        A box is widened to a square and moved into the picture where it reaches beyond. Where the picture begins after
        the clip, a clip without sound begins with it; in one with sound the first frame stands for what is missing.

        Shape:
            frames: (T, H, W, 3) before, (T', size_px, size_px, 3) behind.

        Raises:
            UnreadableMedia: a box lies outside the picture.
        """
        if clip.frames is None or clip.frame_times_sec is None:
            return clip
        boxes_here = np.broadcast_to(np.array(self.box), (len(clip.frames), 4))
        if boxes is not None:
            boxes_here = boxes.at(clip.frame_times_sec, clip.picture_px or clip.frames.shape[1:3])
        squares, times_sec = self._squares(clip.frames, boxes_here), clip.frame_times_sec
        late = first_step(clip, self.stride_sec)
        if clip.waveform is None:
            return replace(
                clip, start_sec=clip.start_sec + late * self.stride_sec, frames=squares, frame_times_sec=times_sec
            )
        missing_sec = clip.start_sec + self.stride_sec * np.arange(late)
        squares = np.concatenate([squares[:1].repeat(late, 0), squares])
        return replace(clip, frames=squares, frame_times_sec=np.concatenate([missing_sec, times_sec]))

    def _squares(self, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Squares of (T, H, W, 3) frames along (T, 4) boxes in fractions."""
        places = [_square(box, frames.shape[1:3]) for box in boxes]
        made = []
        for (top, left, side), run in groupby(range(len(frames)), places.__getitem__):
            shown = list(run)
            square = frames[shown[0] : shown[-1] + 1, top : top + side, left : left + side]
            made.append(self._scaled(np.ascontiguousarray(square)))
        return np.concatenate(made)

    def _scaled(self, square: np.ndarray) -> np.ndarray:
        """(T, side, side, 3) to (T, size_px, size_px, 3), uint8, by straight lines and without aliases."""
        weights = _weights(square.shape[1], self.size_px)
        scaled = weights @ (weights @ square.astype(np.float32).transpose(0, 3, 1, 2)).swapaxes(2, 3)
        return np.ascontiguousarray(np.rint(scaled).clip(0, 255).astype(np.uint8).transpose(0, 3, 2, 1))


@cache
def _weights(side: int, size: int) -> np.ndarray:
    """(size, side): how much of each pixel there is in each pixel of a picture of another size.

    A triangle around each pixel's centre, as wide as one pixel of the coarser of both: what Pillow and torch call
    bilinear with antialiasing.
    """
    scale = side / size
    reach = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(side) + 0.5 - centres[:, None]) / reach)
    normed: np.ndarray = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return normed


def _square(box: np.ndarray, picture: tuple[int, int]) -> tuple[int, int, int]:
    """(top, left, side) in pixels of the square around a box in fractions, within the picture (height, width)."""
    height, width = picture
    left, top, right, bottom = box * (width, height, width, height)
    side = min(max(1, round(max(right - left, bottom - top))), height, width)
    across, down = ((low + high - side) / 2 for low, high in ((left, right), (top, bottom)))
    return min(max(0, round(down)), height - side), min(max(0, round(across)), width - side), side


def first_step(clip: Clip, stride_sec: float) -> int:
    """At which of the times start, start + stride, ... the first frame of a clip is on show, told by all its frames.

    A frame is on show from its own time on, but for a film's first one, which may be shown a little earlier.
    """
    assert clip.frame_times_sec is not None
    steps = (clip.frame_times_sec - _LATE_SEC - clip.start_sec) / stride_sec - np.arange(len(clip.frame_times_sec))
    later = clip.frame_times_sec > clip.frame_times_sec[0]
    first = steps[later].max() if later.any() else (clip.frame_times_sec[0] - clip.start_sec) / stride_sec - 0.5
    return max(0, math.ceil(first - 1e-6))
