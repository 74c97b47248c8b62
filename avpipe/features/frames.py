"""What networks that look take."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.media import ClipFormat


class FrameStack(nn.Module):
    """Frames at even times, cropped to the middle square and standardised.

    Args:
        size_px: length of the picture's shorter side, scaled to in the decoder.
        crop_px: side of the square taken from the middle.
        stride_sec: time between two frames, so that films of 15, 25 and 60 frames a second mean the same.
        mean: of the red, green and blue values in [0, 1].
        std: of the same.
    """

    def __init__(
        self,
        size_px: int,
        crop_px: int,
        stride_sec: float,
        mean: Sequence[float] = (0.432, 0.395, 0.376),
        std: Sequence[float] = (0.228, 0.221, 0.217),
    ) -> None:
        super().__init__()
        if crop_px > size_px:
            raise ValueError(f"crop_px={crop_px} is more than size_px={size_px}")
        self.size_px = size_px
        self.crop_px = crop_px
        self.stride_sec = stride_sec
        self.register_buffer("mean", torch.tensor(mean)[:, None, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None, None], persistent=False)

    mean: Tensor
    std: Tensor

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.size_px, stride_sec=self.stride_sec)

    @property
    def frame_sec(self) -> float:
        """Distance of two frames."""
        return self.stride_sec

    def num_steps(self, duration_sec: float) -> int:
        """Number of frames in ``duration_sec``; the last may be on show for less than ``stride_sec``."""
        return max(1, math.ceil(duration_sec / self.stride_sec - 1e-6))

    def forward(self, frames: Tensor) -> Tensor:
        """
        Shape:
            frames: (T, H, W, 3), uint8; returns (3, T, crop_px, crop_px), float32.
        """
        top, left = ((side - self.crop_px) // 2 for side in frames.shape[1:3])
        middle = frames[:, top : top + self.crop_px, left : left + self.crop_px]
        return (middle.permute(3, 0, 1, 2).float() / 255.0 - self.mean) / self.std
