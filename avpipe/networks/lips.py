"""Convolutions over a few frames, then a 2D CNN on each: what lips show, a vector a frame."""

from collections.abc import Sequence

from torch import Tensor, nn

from avpipe.networks.masking import time_mask
from avpipe.networks.pooling import part_means
from avpipe.networks.residual2d import ResidualBlock2d


class LipEncoder(nn.Module):
    """A 3D convolution with a quarter of the resolution, residual 2D blocks on each frame, and means over its parts.

    Args:
        channels: of the 3D convolution and of each stage, which halves height and width.
        parts: equal parts of the picture each way, whose means stand one after the other in a frame's vector.

    Reference:
        B. Martinez et al., "Lipreading using Temporal Convolutional Networks", 2020, arXiv:2001.08702 (a 3D convolution
        over five frames, then a ResNet-18 on each; behind it convolutions over time, which here
        :class:`avpipe.networks.TimeConvEncoder` adds). A fraction of its size, so that a CPU trains it: one block a
        stage, and kernels of 5 pixels in place of 7.
    """

    ignores_padding = True

    def __init__(self, channels: Sequence[int] = (16, 32, 64, 96), parts: int = 2) -> None:
        super().__init__()
        stem, *stages = channels
        self.stem = nn.Sequential(
            nn.Conv3d(1, stem, 5, (1, 2, 2), padding=2, bias=False),
            nn.BatchNorm3d(stem),
            nn.ReLU(inplace=True),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
        )
        self.stages = nn.Sequential(
            *(ResidualBlock2d(before, after, stride=2) for before, after in zip(channels, stages, strict=False))
        )
        self.parts = parts
        self.out_dim = channels[-1] * parts**2
        self.time_stride = 1
        self.context_steps = 2
        """Frames to either side that a vector depends on."""

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 1, T, H, W); lengths: (B,) in frames; returns (B, out_dim, T) and the same lengths.
        """
        mask = time_mask(lengths, features.shape[2])[:, None, :, None, None].to(features.dtype)
        frames = self.stem(features * mask).transpose(1, 2)
        maps = self.stages(frames.flatten(0, 1))
        vectors = part_means(part_means(maps, self.parts, 2), self.parts, 3).flatten(1)
        return vectors.reshape(frames.shape[0], frames.shape[1], -1).transpose(1, 2), lengths
