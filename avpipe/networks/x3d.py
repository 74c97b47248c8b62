"""A small 3D CNN whose convolutions over space and time each see one channel, for a CPU."""

from collections.abc import Sequence

from torch import Tensor, nn

from avpipe.networks.masking import time_mask


class SqueezeExcitation3d(nn.Module):
    """Each channel times a factor in [0, 1] that follows from the mean of all channels over the item's true frames.

    Args:
        channels: of the input and the output.
        hidden: width of the layer between.

    Reference:
        J. Hu et al., "Squeeze-and-Excitation Networks", 2017, arXiv:1709.01507; with the hard sigmoid of A. Howard et
        al., "Searching for MobileNetV3", 2019, arXiv:1905.02244: a CPU computes the true one otherwise for the last few
        numbers of an array than for the rest, so that an answer would depend on its place in the batch.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        # Convolutions, as products of matrices may differ in the last digit from one row to another.
        self.weigh = nn.Sequential(
            nn.Conv3d(channels, hidden, 1), nn.ReLU(inplace=True), nn.Conv3d(hidden, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            x: (B, channels, T, H, W); mask: (B, 1, T, 1, 1), 0 in the padding; returns the shape of x.
        """
        frames = x.mean((3, 4), keepdim=True) * mask
        return x * self.weigh(frames.sum(2, keepdim=True) / mask.sum(2, keepdim=True).clamp_min(1.0))


class X3dBlock(nn.Module):
    """Widen, convolve each channel by itself over space and time, narrow; and a shortcut.

    Swish is the hard one, for the reason told at :class:`SqueezeExcitation3d`.

    Args:
        in_channels: of the input.
        channels: of the output.
        hidden: channels in between.
        space_stride: in pixels.
        excited: whether a squeeze-and-excitation follows the middle convolution.
    """

    def __init__(self, in_channels: int, channels: int, hidden: int, space_stride: int, excited: bool) -> None:
        super().__init__()
        stride = (1, space_stride, space_stride)
        self.widen = nn.Sequential(
            nn.Conv3d(in_channels, hidden, 1, bias=False), nn.BatchNorm3d(hidden), nn.ReLU(inplace=True)
        )
        self.convolve = nn.Sequential(
            nn.Conv3d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False), nn.BatchNorm3d(hidden)
        )
        self.excite = SqueezeExcitation3d(hidden, max(8, hidden // 16)) if excited else None
        self.narrow = nn.Sequential(
            nn.Hardswish(), nn.Conv3d(hidden, channels, 1, bias=False), nn.BatchNorm3d(channels)
        )
        self.shortcut: nn.Module = nn.Identity()
        if space_stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv3d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm3d(channels)
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            x: (B, in_channels, T, H, W); mask: (B, 1, T, 1, 1), 0 in the padding.
            returns (B, channels, T, ceil(H / space_stride), ceil(W / space_stride)); what is padding holds anything.
        """
        # Normalisation has moved the zeros of the padding, and the next convolution would carry them into true frames.
        hidden = self.convolve(self.widen(x) * mask)
        if self.excite is not None:
            hidden = self.excite(hidden, mask)
        return self.activation(self.narrow(hidden) + self.shortcut(x))


class X3dEncoder(nn.Module):
    """A stem, stages of inverted bottlenecks that each halve height and width, and the mean over the picture.

    Time keeps its steps, and a step is 5 frames and 2 more a block wide.

    Args:
        channels: of the stem (a quarter of the resolution) and of each stage.
        blocks: of each stage; every other one, the first among them, has a squeeze-and-excitation.
        expansion: channels in the middle of a block, as a multiple of those at its end.

    Reference:
        C. Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", 2020, arXiv:2004.04730. Here
        half as wide as X3D-XS and with six blocks for its 26, so that a CPU trains it: the stem (5x5 pixels, not 3x3)
        does the work of their stem and first stage, and what follows the last convolution is the pooling of the
        network that this encoder is part of, not a layer of 2048 units.
    """

    ignores_padding = True

    def __init__(
        self,
        channels: Sequence[int] = (12, 24, 48, 96),
        blocks: Sequence[int] = (1, 3, 2),
        expansion: float = 2.25,
    ) -> None:
        super().__init__()
        stem, *stages = channels
        if len(blocks) != len(stages) or min(blocks) < 1:
            raise ValueError(f"blocks={list(blocks)} must be one or more for each of {len(stages)} stages")
        self.stem = nn.Sequential(
            nn.Conv3d(3, stem, (1, 5, 5), (1, 4, 4), (0, 2, 2), bias=False),
            nn.Conv3d(stem, stem, (5, 1, 1), padding=(2, 0, 0), groups=stem, bias=False),
            nn.BatchNorm3d(stem),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.ModuleList(
            X3dBlock(
                before if place == 0 else after,
                after,
                hidden=round(expansion * after),
                space_stride=2 if place == 0 else 1,
                excited=place % 2 == 0,
            )
            for before, after, count in zip(channels, stages, blocks, strict=False)
            for place in range(count)
        )
        """The blocks of all stages, one after the other."""
        self.out_dim = round(expansion * channels[-1])
        self.last = nn.Sequential(
            nn.Conv3d(channels[-1], self.out_dim, 1, bias=False), nn.BatchNorm3d(self.out_dim), nn.ReLU(inplace=True)
        )
        self.time_stride = 1

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames; returns (B, out_dim, T) and the same lengths.
        """
        mask = time_mask(lengths, features.shape[2])[:, None, :, None, None].to(features.dtype)
        x = self.stem(features * mask)
        for block in self.blocks:
            x = block(x, mask)
        return self.last(x).mean((3, 4)), lengths
