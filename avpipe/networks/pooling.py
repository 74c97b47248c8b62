"""From a sequence of vectors to one, over true lengths only."""

import torch
from torch import Tensor, cat, nn

from avpipe.networks.masking import time_mask


def part_means(maps: Tensor, parts: int, axis: int) -> Tensor:
    """Means over equal parts of an axis, as adaptive pooling takes them, of whose other axes an exported graph need not
    know the length.

    Shape:
        maps: (B, channels, height, width); returns the same, but for ``parts`` places along the axis.
    """
    length = int(maps.shape[axis])
    edges = [(part * length // parts, -(-(part + 1) * length // parts)) for part in range(parts)]
    return torch.stack([maps.narrow(axis, first, end - first).mean(axis) for first, end in edges], axis)


class MeanPooling(nn.Module):
    """Mean over time.

    Args:
        channels: length of the vectors.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.out_dim = channels

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, channels, T); lengths: (B,), 0 gives zeros; returns (B, out_dim).
        """
        mask = time_mask(lengths, sequence.shape[2])[:, None].to(sequence.dtype)
        return (sequence * mask).sum(2) / mask.sum(2).clamp_min(1.0)


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over time, one after the other.

    Args:
        channels: length of the vectors.
        normalised: each of them over the batch in training, by running statistics afterwards, so that what varies
            little is learned from as fast as what varies much.

    Reference:
        D. Snyder et al., "X-Vectors: Robust DNN Embeddings for Speaker Recognition", ICASSP 2018. The deviation is of
        the whole population, with 1e-5 added to the variance so that a single step has a gradient.
    """

    def __init__(self, channels: int, normalised: bool = False) -> None:
        super().__init__()
        self.mean = MeanPooling(channels)
        self.out_dim = 2 * channels
        self.norm = nn.BatchNorm1d(self.out_dim) if normalised else nn.Identity()

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, channels, T); lengths: (B,), 0 gives a mean of zeros; returns (B, out_dim).
        """
        mean = self.mean(sequence, lengths)
        variance = self.mean((sequence - mean[:, :, None]).square(), lengths)
        statistics: Tensor = self.norm(cat([mean, (variance + 1e-5).sqrt()], dim=1))
        return statistics


class SegmentPooling(nn.Module):
    """Means over equal segments of each item's own length, and the standard deviation over all of it.

    Keeps the order of what happens: of words cut out at their ends, the beginning stands in the first segment and the
    end in the last, however slowly they are spoken. A step counts the less, the farther it is from a segment's centre.

    Args:
        channels: length of the vectors.
        segments: number of segments.

    Reference:
        The pyramid of S. Lazebnik et al., "Beyond Bags of Features: Spatial Pyramid Matching", CVPR 2006, one level of
        it, along time and with triangular weights in place of borders. The deviation is :class:`StatisticsPooling`'s.
    """

    def __init__(self, channels: int, segments: int = 4) -> None:
        super().__init__()
        self.statistics = StatisticsPooling(channels)
        self.segments = segments
        self.out_dim = (segments + 1) * channels

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, channels, T); lengths: (B,), 0 gives means of zeros; returns (B, out_dim).
        """
        steps = torch.arange(sequence.shape[2], device=sequence.device) + 0.5
        place = steps / lengths.clamp_min(1)[:, None] * self.segments
        centres = torch.arange(self.segments, device=sequence.device) + 0.5
        weights = (1.0 - (place[:, :, None] - centres).abs()).clamp_min(0.0).to(sequence.dtype)
        weights = weights * time_mask(lengths, sequence.shape[2])[:, :, None].to(sequence.dtype)
        means = sequence @ (weights / weights.sum(1, keepdim=True).clamp_min(1e-4))
        deviation = self.statistics(sequence, lengths).chunk(2, dim=1)[1]
        return cat([means.flatten(1), deviation], dim=1)


class AttentivePooling(nn.Module):
    """Mean and standard deviation over time, to which every step adds as much as the network says, channel by channel.

    What comes of it is normalised over the batch in training, by running statistics afterwards.

    Args:
        channels: length of the vectors.
        hidden: width of the layer that weighs the steps.

    Reference:
        B. Desplanques et al., "ECAPA-TDNN", 2020, arXiv:2005.07143 (a step is weighed by what it is and by the mean and
        the deviation of all), after K. Okabe et al., "Attentive Statistics Pooling for Deep Speaker Embedding", 2018,
        arXiv:1803.10963.
    """

    def __init__(self, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.statistics = StatisticsPooling(channels)
        self.weigh = nn.Sequential(nn.Conv1d(3 * channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1))
        self.norm = nn.BatchNorm1d(2 * channels)
        self.out_dim = 2 * channels

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, channels, T); lengths: (B,), 0 gives what silence gives; returns (B, out_dim).
        """
        whole = self.statistics(sequence, lengths)[:, :, None].expand(-1, -1, sequence.shape[2])
        mask = time_mask(lengths, sequence.shape[2])[:, None]
        said = self.weigh(cat([sequence, whole], dim=1)).masked_fill(~mask, -1e4)
        weights = said.softmax(2) * mask
        mean = (sequence * weights).sum(2)
        variance = ((sequence - mean[:, :, None]).square() * weights).sum(2)
        normed: Tensor = self.norm(cat([mean, (variance + 1e-5).sqrt()], dim=1))
        return normed
