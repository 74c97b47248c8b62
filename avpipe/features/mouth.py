"""What networks that read lips take."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.features.frames import FrameStack
from avpipe.media import BoxTrack, Clip, ClipFormat

_LATE_SEC = 0.001
"""A frame stamped so much late is still in time: timestamps are rounded to the container's clock."""


class MouthStack(FrameStack):
    """Squares around the mouth at even times, grey and standardised.

    The squares are cut out of the decoded pictures by :meth:`cut`: along the boxes of the film where these are known,
    else at a fixed place, such as the lower face of somebody who sits before the camera.

    Args:
        picture_px: length of the picture's shorter side, scaled to in the decoder.
        size_px: side that the squares are scaled to.
        crop_px: side of the square that is seen, the middle of them; the rest is room for shifts in training.
        stride_sec: time between two frames, so that films of 15, 25 and 60 frames a second mean the same.
        box: left, top, right and bottom of the fixed place, as fractions of the picture.
        mean: of the grey values in [0, 1].
        std: of the same.

    Reference:
        P. Ma et al., "Auto-AVSR: Audio-Visual Speech Recognition with Automatic Labels", 2023, arXiv:2303.14307 (grey
        squares around the mouth, 96 pixels of which 88 are seen; mean and standard deviation are theirs). They turn
        the face upright by its landmarks first; here the box alone tells where the mouth is.
    """

    def __init__(
        self,
        picture_px: int,
        size_px: int,
        crop_px: int,
        stride_sec: float,
        box: Sequence[float],
        mean: float = 0.421,
        std: float = 0.165,
    ) -> None:
        super().__init__(size_px, crop_px, stride_sec, (mean,) * 3, (std,) * 3)
        left, top, right, bottom = box
        if not (0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0):
            raise ValueError(f"box={list(box)}: left, top, right, bottom in fractions of the picture, from 0 to 1")
        self.picture_px = picture_px
        self.box = tuple(box)

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.picture_px, stride_sec=self.stride_sec)

    def forward(self, frames: Tensor) -> Tensor:
        """
        Shape:
            frames: (T, size_px, size_px, 3), uint8; returns (1, T, crop_px, crop_px), float32.
        """
        return super().forward(frames).mean(0, keepdim=True)

    def views(self, frames: Tensor) -> list[Tensor]:
        return [self(frames)]

    def cut(self, clip: Clip, boxes: BoxTrack | None) -> Clip:
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
        pixels = torch.from_numpy(square).permute(0, 3, 1, 2).float()
        scaled = nn.functional.interpolate(pixels, (self.size_px, self.size_px), mode="bilinear", antialias=True)
        rounded = scaled.round_().clamp_(0, 255).to(torch.uint8)
        return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).numpy())


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
