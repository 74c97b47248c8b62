"""A 2D CNN on each frame by itself; what happens over time is left to the pooling."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.networks.pooling import part_means
from avpipe.networks.residual2d import ResidualBlock2d


class FrameEncoder2d(nn.Module):
    """A 2D residual CNN on each frame and on its difference from the frame before.

    Args:
        channels: of the stem and of each stage, which halves height and width.
        stem_stride: of the stem's convolution, in pixels.
        parts: equal parts of the height, and as many of the width, whose means stand one after the other in the
            vector; one mean over all would make the network deaf to where in the picture something is.

    Reference:
        K. Simonyan, A. Zisserman, "Two-Stream Convolutional Networks for Action Recognition in Videos", 2014,
        arXiv:1406.2199, with frame differences for optical flow and both streams in one network.
    """

    ignores_padding = True

    def __init__(self, channels: Sequence[int] = (24, 48, 96, 128), stem_stride: int = 4, parts: int = 1) -> None:
        super().__init__()
        stem, *stages = channels
        self.stem = nn.Sequential(
            nn.Conv2d(6, stem, 5, stem_stride, padding=2, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            *(ResidualBlock2d(before, after, stride=2) for before, after in zip(channels, stages, strict=False))
        )
        self.parts = parts
        self.out_dim = parts * parts * channels[-1]

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames; returns (B, out_dim, T) and the same lengths.
        """
        batch, _, steps = features.shape[:3]
        change = features - torch.cat([features[:, :, :1], features[:, :, :-1]], dim=2)
        frames = torch.cat([features, change], dim=1).transpose(1, 2).flatten(0, 1)
        vectors = part_means(part_means(self.stages(self.stem(frames)), self.parts, 2), self.parts, 3)
        return vectors.reshape(batch, steps, self.out_dim).transpose(1, 2), lengths
