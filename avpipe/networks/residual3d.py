"""A small residual 3D CNN over frames, for a CPU."""

from collections.abc import Sequence

from torch import Tensor, nn

from avpipe.networks.masking import strided, time_mask


def _factorised(in_channels: int, channels: int, time_stride: int, space_stride: int) -> nn.Sequential:
    """A 1x3x3 convolution over the picture, then a depthwise 3x1x1 convolution over time."""
    return nn.Sequential(
        nn.Conv3d(in_channels, channels, (1, 3, 3), (1, space_stride, space_stride), (0, 1, 1), bias=False),
        nn.BatchNorm3d(channels),
        nn.ReLU(inplace=True),
        nn.Conv3d(channels, channels, (3, 1, 1), (time_stride, 1, 1), (1, 0, 0), groups=channels, bias=False),
        nn.BatchNorm3d(channels),
    )


class ResidualBlock3d(nn.Module):
    """A factorised 3D convolution and a shortcut.

    Args:
        in_channels: of the input.
        channels: of the output.
        time_stride: in frames.
        space_stride: in pixels.
    """

    def __init__(self, in_channels: int, channels: int, time_stride: int, space_stride: int) -> None:
        super().__init__()
        stride = (time_stride, space_stride, space_stride)
        self.residual = _factorised(in_channels, channels, time_stride, space_stride)
        self.shortcut = nn.Sequential(nn.Conv3d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm3d(channels))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.residual(x) + self.shortcut(x))


class ResidualEncoder3d(nn.Module):
    """A stem with a quarter of the resolution, residual blocks, and the mean over the picture.

    Args:
        channels: of the stem and of each stage; every stage halves height and width, the last two also time.

    Reference:
        D. Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", 2018, arXiv:1711.11248
        (R(2+1)D). Here the convolution over time is depthwise, as in C. Feichtenhofer, "X3D", 2020, arXiv:2004.04730,
        and each stage has one block, so that a CPU trains it.
    """

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 128)) -> None:
        super().__init__()
        stem, *stages = channels
        self.stem = nn.Sequential(
            nn.Conv3d(3, stem, (1, 5, 5), (1, 4, 4), (0, 2, 2), bias=False),
            nn.BatchNorm3d(stem),
            nn.ReLU(inplace=True),
            nn.Conv3d(stem, stem, (5, 1, 1), padding=(2, 0, 0), groups=stem, bias=False),
            nn.BatchNorm3d(stem),
            nn.ReLU(inplace=True),
        )
        time_strides = [1] * max(len(stages) - 2, 0) + [2] * min(len(stages), 2)
        self.stages = nn.Sequential(
            *(
                ResidualBlock3d(before, after, time_stride, space_stride=2)
                for before, after, time_stride in zip(channels, stages, time_strides, strict=False)
            )
        )
        self.time_stride = 2 ** min(len(stages), 2)
        self.out_dim = channels[-1]

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames.
            returns (B, out_dim, ceil(T / time_stride)) and lengths (B,) in its steps.
        """
        mask = time_mask(lengths, features.shape[2])[:, None, :, None, None].to(features.dtype)
        x = self.stages(self.stem(features * mask))
        return x.mean((3, 4)), strided(lengths, self.time_stride)
