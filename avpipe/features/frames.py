"""What networks that look take."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.media import ClipFormat
from avpipe.windowing import Crops


class FrameStack(nn.Module):
    """Frames at even times, cropped to the middle square and standardised.

    Args:
        size_px: length of the picture's shorter side, scaled to in the decoder.
        crop_px: side of the square taken from the middle.
        stride_sec: time between two frames, so that films of 15, 25 and 60 frames a second mean the same.
        mean: of the red, green and blue values in [0, 1]; as given, that of Kinetics.
        std: of the same.
        crops: squares along the longer side whose answers prediction averages: 1, the middle; or 3, also both ends.
            Training and its validation look at the middle alone.

    Reference:
        C. Feichtenhofer et al., "SlowFast Networks for Video Recognition", 2018, arXiv:1812.03982 (three crops in
        testing; theirs are as large as the shorter side, here they are as large as in training).
    """

    def __init__(
        self,
        size_px: int,
        crop_px: int,
        stride_sec: float,
        mean: Sequence[float] = (0.432, 0.395, 0.376),
        std: Sequence[float] = (0.228, 0.221, 0.217),
        crops: int = 1,
    ) -> None:
        super().__init__()
        if crop_px > size_px:
            raise ValueError(f"crop_px={crop_px} is more than size_px={size_px}")
        Crops(crop_px, crops)
        self.size_px = size_px
        self.crop_px = crop_px
        self.stride_sec = stride_sec
        self.crops = crops
        self.register_buffer("mean", torch.tensor(mean)[:, None, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None, None], persistent=False)

    mean: Tensor
    std: Tensor

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.size_px, stride_sec=self.stride_sec)

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) of a picture that has the shape of the square."""
        return self.size_px, self.size_px

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
        (square,) = Crops(self.crop_px).views(frames)
        # Colours are brought forward while they are bytes, and what is made of them is written once.
        return self.standardised(square.permute(3, 0, 1, 2).contiguous().float())

    def pictures(self, features: Tensor) -> Tensor:
        """What a network sees, as pictures.

        Shape:
            features: (3, T, crop_px, crop_px); returns (T, crop_px, crop_px, 3), uint8.
        """
        return ((features * self.std + self.mean) * 255.0).round().clamp(0, 255).byte().permute(1, 2, 3, 0)

    def standardised(self, planes: Tensor) -> Tensor:
        """Colours as a network takes them; ``planes`` are overwritten.

        Shape:
            planes: (..., 3, T, crop_px, crop_px), float32 from 0 to 255; returned in the same shape.
        """
        return planes.div_(255.0).sub_(self.mean).div_(self.std)


class EveryFrame(nn.Module):
    """Every frame of a film, made small in the decoder; windows are counted in frames, whatever the film's rate.

    Args:
        height_px: of the small picture, whatever the shape of the film's own.
        width_px: of the same.
        window_frames: that a network sees at once.
        context_frames: at either end of a window that the network only sees, to answer for those between; a quarter of
            a window at the most, so that no frame is in three of them.
    """

    crops = 1

    def __init__(self, height_px: int, width_px: int, window_frames: int, context_frames: int) -> None:
        super().__init__()
        if not 0 <= 4 * context_frames <= window_frames:
            raise ValueError(
                f"context_frames={context_frames} are more than a quarter of window_frames={window_frames}"
            )
        self.height_px = height_px
        self.width_px = width_px
        self.window_frames = window_frames
        self.context_frames = context_frames

    @property
    def clip_format(self) -> ClipFormat:
        return ClipFormat(audio=False, video=True, size_px=self.shape_px)

    @property
    def shape_px(self) -> tuple[int, int]:
        """(height, width) of a picture."""
        return self.height_px, self.width_px

    @property
    def frame_sec(self) -> float:
        """0: frames lie as far apart as they do in the film."""
        return 0.0

    def num_steps(self, duration_sec: float) -> int:
        """Frames in a window at the most, however long it lasts."""
        return self.window_frames

    def forward(self, frames: Tensor) -> Tensor:
        """
        Shape:
            frames: (T, height_px, width_px, 3), uint8; returns (3, T, height_px, width_px), float32 in [-1, 1].
        """
        return self.standardised(frames.permute(3, 0, 1, 2).float())

    def standardised(self, planes: Tensor) -> Tensor:
        """Colours as a network takes them.

        Shape:
            planes: (..., 3, T, height_px, width_px), float32 from 0 to 255; returned in the same shape.
        """
        return planes / 127.5 - 1.0

    def pictures(self, features: Tensor) -> Tensor:
        """What a network sees, as pictures.

        Shape:
            features: (3, T, height_px, width_px); returns (T, height_px, width_px, 3), uint8.
        """
        return ((features + 1.0) * 127.5).round().byte().permute(1, 2, 3, 0)
