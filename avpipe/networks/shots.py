"""A small 3D CNN that looks for the seams between the shots of a film."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d, normalize, pad

from avpipe.networks.masking import time_mask

_BINS = 6
"""Of each colour in a histogram."""


class SpaceTimeBlock(nn.Module):
    """A convolution over the picture, then one over time at several dilations side by side.

    Args:
        in_channels: of the input.
        channels: of the output, shared out among the dilations.
        dilations: of the convolutions over time, in frames; each is three frames wide.
    """

    def __init__(self, in_channels: int, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.space = nn.Sequential(
            nn.Conv3d(in_channels, channels, (1, 3, 3), padding=(0, 1, 1), bias=False),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        # In two dimensions, the picture's being one, which a CPU does in a third of the time.
        self.time = nn.ModuleList(
            nn.Conv2d(channels, channels // len(dilations), (3, 1), padding=(each, 0), dilation=(each, 1), bias=False)
            for each in dilations
        )
        self.norm = nn.BatchNorm2d(channels)
        self.reach = max(dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            x: (B, in_channels, T, H, W); mask: (B, 1, T, 1, 1), 0 in the padding; returns (B, channels, T, H, W).
        """
        seen = self.space(x) * mask
        flat = seen.flatten(3)
        moved = self.norm(torch.cat([convolve(flat) for convolve in self.time], 1)).view_as(seen)
        return torch.relu(seen + moved)


class ShotEncoder(nn.Module):
    """Blocks over small frames at three resolutions, how like each frame is to its neighbours, and layers over time.

    Likeness is measured twice, between each frame and those up to ``neighbours`` away: of the colours, by histograms,
    and of what the blocks have found. A frame's answer hangs on ``reach`` frames to either side and on no others.

    Args:
        channels: of the stem and of the blocks at each resolution: a half, a quarter and an eighth of the picture's.
        dilations: in frames, of the blocks at each resolution.
        width: of the layers over time.
        time_dilations: of these layers.
        neighbours: frames to either side that each is compared with.

    Reference:
        T. Souček, J. Lokoč, "TransNet V2: An effective deep network architecture for fast shot transition detection",
        2020, arXiv:2008.04838 (factorised dilated convolutions, likeness of frames and of colours over time). Here with
        a twentieth of its weights, likeness within the reach of the other layers, and layers over time in place of one
        dense layer a frame.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 16, 32, 64),
        dilations: Sequence[Sequence[int]] = ((1, 2), (1, 2, 4, 8), (1, 2, 3, 4)),
        width: int = 96,
        time_dilations: Sequence[int] = (1, 2, 4, 8),
        neighbours: int = 16,
    ) -> None:
        super().__init__()
        stem, *stages = channels
        if len(stages) != len(dilations):
            raise ValueError(f"dilations={dilations} must be one row for each of {len(stages)} resolutions")
        self.stem = nn.Sequential(
            nn.Conv3d(3, stem, 3, (1, 2, 2), 1, bias=False), nn.BatchNorm3d(stem), nn.ReLU(inplace=True)
        )
        self.blocks = nn.ModuleList(
            SpaceTimeBlock(before, after, row) for before, after, row in zip(channels, stages, dilations, strict=False)
        )
        self.neighbours = neighbours
        self.gather = _layer(stages[-1] * 6 + 4 * neighbours, width, 1)
        self.layers = nn.ModuleList(_layer(width, width, each) for each in time_dilations)
        self.out_dim = width
        self.time_stride = 1
        through_blocks = 1 + sum(max(row) for row in dilations)
        self.reach = through_blocks + neighbours + 1 + sum(time_dilations)
        """Frames to either side that an answer hangs on."""

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W) in [-1, 1]; lengths: (B,) in frames; returns (B, out_dim, T) and the same lengths.
        """
        steps = time_mask(lengths, features.shape[2])[:, None].to(features.dtype)
        mask = steps[..., None, None]
        x = self.stem(features * mask)
        for place, block in enumerate(self.blocks):
            x = block(avg_pool3d(x, (1, 2, 2)) if place else x, mask)
        # As one product, which takes a tenth of the time of means over axes so short.
        height, width = x.shape[3:]
        seen = x.flatten(3) @ area_weights(height, width).to(x)
        likeness = [self._likeness(seen[..., -1], steps), self._likeness(_histograms(features), steps)]
        areas = seen[..., :-1].transpose(2, 3).flatten(1, 2)
        x = self.gather(torch.cat([areas, *likeness], 1) * steps)
        for layer in self.layers:
            x = x + layer(x * steps)
        return x, lengths

    def _likeness(self, vectors: Tensor, steps: Tensor) -> Tensor:
        """The cosine of each frame's vector and of those before and behind it; 0 beyond the film's ends.

        Shape:
            vectors: (B, channels, T); steps: (B, 1, T); returns (B, 2 * neighbours, T).
        """
        unit = normalize(vectors.float() - vectors.float().mean(1, keepdim=True), dim=1) * steps
        total = unit.shape[2]
        rows = []
        for distance in range(1, self.neighbours + 1):
            near = min(distance, total)
            cosine = (unit[..., : total - near] * unit[..., near:]).sum(1)
            rows += [pad(cosine, (near, 0)), pad(cosine, (0, near))]
        return torch.stack(rows, 1)


def _layer(in_channels: int, channels: int, dilation: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(in_channels, channels, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm1d(channels),
        nn.ReLU(inplace=True),
    )


def area_weights(height: int, width: int) -> Tensor:
    """Weights of means over a picture: of three rows by two columns, the left two thirds and the right one, so that it
    is known where something has changed, and of all.

    Shape:
        returns (height * width, 7), the columns' areas one after the other, then all.
    """
    rows, (left, middle, right) = _parts(height), _parts(width)
    columns = torch.stack([0.5 * (left + middle), right])
    areas = (columns[:, None, None, :] * rows[:, :, None]).flatten(0, 1).flatten(1)
    return torch.cat([areas, torch.full((1, height * width), 1.0 / (height * width))]).T


def _parts(length: int) -> Tensor:
    """(3, length): weights of the mean of each third."""
    return torch.stack([each.sum(0) / max(1, each.shape[0]) for each in torch.eye(length).tensor_split(3)])


def _histograms(frames: Tensor) -> Tensor:
    """How much of each colour there is in a frame, as roots, so that a large even area is not all that counts.

    Shape:
        frames: (B, 3, T, H, W) in [-1, 1]; returns (B, colours, T).
    """
    with torch.no_grad():
        # Whole numbers of four bytes up to the last step: such as count places have eight.
        levels = ((frames.float() + 1.0) * (0.5 * _BINS)).clamp(0, _BINS - 1).floor()
        red, green, blue = levels.unbind(1)
        colours = ((red * _BINS + green) * _BINS + blue).flatten(2).long()
        counts = torch.zeros(*colours.shape[:2], _BINS**3, device=frames.device)
        counts.scatter_add_(2, colours, torch.ones_like(colours, dtype=counts.dtype))
        return counts.sqrt().transpose(1, 2)
