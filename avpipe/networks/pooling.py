"""From a sequence of vectors to one, over true lengths only."""

from torch import Tensor, cat, nn

from avpipe.networks.masking import time_mask


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

    Reference:
        D. Snyder et al., "X-Vectors: Robust DNN Embeddings for Speaker Recognition", ICASSP 2018. The deviation is of
        the whole population, with 1e-5 added to the variance so that a single step has a gradient.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = MeanPooling(channels)
        self.out_dim = 2 * channels

    def forward(self, sequence: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, channels, T); lengths: (B,), 0 gives a mean of zeros; returns (B, out_dim).
        """
        mean = self.mean(sequence, lengths)
        variance = self.mean((sequence - mean[:, :, None]).square(), lengths)
        return cat([mean, (variance + 1e-5).sqrt()], dim=1)
