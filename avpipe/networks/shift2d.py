"""A 2D CNN on each frame, whose blocks hand some channels on to the frames beside it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.networks.masking import time_mask
from avpipe.networks.residual2d import ResidualBlock2d


class ShiftBlock2d(nn.Module):
    """A residual block whose first convolution sees some channels of the frame before and of the frame after.

    Args:
        in_channels: of the input.
        channels: of the output.
        stride: of the first convolution and of the shortcut, in both axes.
        shifted: channels of the input that come from the frame before; as many come from the frame after.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, shifted: int) -> None:
        super().__init__()
        self.block = ResidualBlock2d(in_channels, channels, stride)
        self.shifted = shifted

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            x: (B * T, in_channels, height, width); mask: (B, T, 1, 1, 1), 0 in the padding.
            returns (B * T, channels, ceil(height / stride), ceil(width / stride)); what is padding holds anything.
        """
        block = self.block
        mixed = shift_frames(x.reshape(*mask.shape[:2], *x.shape[1:]) * mask, self.shifted).flatten(0, 1)
        # The shortcut keeps each frame as it is, so that what is handed on adds to it and takes nothing away.
        joined: Tensor = block.activation(block.second(block.first(mixed)) + block.shortcut(x))
        return joined


def shift_frames(x: Tensor, shifted: int) -> Tensor:
    """The first channels from the frame before, as many from the frame after, the rest from the frame itself.

    Shape:
        x: (B, T, channels, ...); returns the same; zeros come in at both ends of time.
    """
    nothing = torch.zeros_like(x[:, :1, :shifted])
    before = torch.cat([nothing, x[:, :-1, :shifted]], dim=1)
    after = torch.cat([x[:, 1:, shifted : 2 * shifted], nothing], dim=1)
    return torch.cat([before, after, x[:, :, 2 * shifted :]], dim=2)


class ShiftEncoder2d(nn.Module):
    """A stem with a quarter of the resolution, residual blocks with shifts, and the mean over each picture.

    It costs what a 2D CNN costs, and each block widens what a step sees by a frame to either side.

    Args:
        channels: of the stem and of each stage, which halves height and width.
        blocks: of each stage.
        fraction: of the channels that come from the frame before, and of those that come from the frame after.

    Reference:
        J. Lin, C. Gan, S. Han, "TSM: Temporal Shift Module for Efficient Video Understanding", 2018, arXiv:1811.08383
        (the residual shift, an eighth of the channels each way). Here frames behind an item's length count as zeros,
        as those before its first do.
    """

    ignores_padding = True

    def __init__(self, channels: Sequence[int] = (24, 48, 96, 128), blocks: int = 1, fraction: float = 0.125) -> None:
        super().__init__()
        if blocks < 1 or not 0.0 <= fraction <= 0.5:
            raise ValueError(f"blocks={blocks} must be at least 1, fraction={fraction} from 0 to 0.5")
        stem, *stages = channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 5, 4, padding=2, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        widths = [
            (before if place == 0 else after, after, 2 if place == 0 else 1)
            for before, after in zip(channels, stages, strict=False)
            for place in range(blocks)
        ]
        self.blocks = nn.ModuleList(
            ShiftBlock2d(before, after, stride, round(fraction * before)) for before, after, stride in widths
        )
        """The blocks of all stages, one after the other."""
        self.out_dim = channels[-1]
        self.time_stride = 1

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames; returns (B, out_dim, T) and the same lengths.
        """
        mask = time_mask(lengths, features.shape[2])[:, :, None, None, None].to(features.dtype)
        x = self.stem(features.transpose(1, 2).flatten(0, 1))
        for block in self.blocks:
            x = block(x, mask)
        return x.mean((2, 3)).reshape(mask.shape[0], mask.shape[1], -1).transpose(1, 2), lengths
