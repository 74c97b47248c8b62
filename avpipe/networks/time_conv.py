"""Convolutions over time with a bounded view: for what has an order, such as speech."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from avpipe.networks.masking import ignores_padding, time_mask
from avpipe.networks.network import Encoder


class SeparableBlock(nn.Module):
    """Twice a depthwise convolution over time and a pointwise one; added to x.

    Args:
        channels: in and out.
        kernel: steps that each depthwise convolution sees, odd.
        dropout: of the outcome, in training.

    Reference:
        S. Kriman et al., "QuartzNet: Deep Automatic Speech Recognition with 1D Time-Channel Separable Convolutions",
        2019, arXiv:1910.10261. Here two convolutions a block in place of five, and the padding is masked between them.
    """

    def __init__(self, channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel={kernel} must be odd")
        self.first, self.second = _separable(channels, kernel), _separable(channels, kernel)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """
        Shape:
            x: (B, channels, T), zero in the padding; mask: (B, 1, T); returns what x is.
        """
        changed = self.second(self.activation(self.first(x)) * mask)
        return self.dropout(self.activation(x + changed)) * mask


def _separable(channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False),
        nn.Conv1d(channels, channels, 1, bias=False),
        nn.BatchNorm1d(channels),
    )


class TimeConv(nn.Module):
    """Blocks of convolutions over time behind a sequence of vectors.

    Args:
        in_dim: of the vectors.
        channels: of the blocks.
        kernels: of each block.
        dropout: behind each block, in training.
    """

    def __init__(
        self, in_dim: int, channels: int = 192, kernels: Sequence[int] = (7, 9, 11, 13), dropout: float = 0.1
    ) -> None:
        super().__init__()
        self._begin(in_dim, channels, kernels, dropout)

    def _begin(self, in_dim: int, channels: int, kernels: Sequence[int], dropout: float) -> None:
        self.narrow = nn.Sequential(nn.Conv1d(in_dim, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU())
        self.blocks = nn.ModuleList(SeparableBlock(channels, kernel, dropout) for kernel in kernels)
        self.out_dim = channels
        self.context_steps = sum(2 * (kernel // 2) for kernel in kernels)
        """Steps to either side that a step depends on."""

    def convolved(self, sequence: Tensor, steps: Tensor) -> Tensor:
        """
        Shape:
            sequence: (B, in_dim, T); steps: (B,), true lengths; returns (B, out_dim, T), zero in the padding.
        """
        mask = time_mask(steps, sequence.shape[2])[:, None].to(sequence.dtype)
        x = self.narrow(sequence) * mask
        for block in self.blocks:
            x = block(x, mask)
        return x


class TimeConvEncoder(TimeConv):
    """An encoder of pictures of sound (or of frames), and blocks of convolutions over time behind it.

    A step sees a bounded stretch of the features (:attr:`context_steps`): cut with so much of an overlap, a long
    recording gives the same vectors, wherever it is cut.

    Args:
        front: makes a vector of every few frames, such as :class:`ResidualEncoder2d` with a bounded view.
        channels: of the blocks.
        kernels: of each block.
        dropout: behind each block, in training.
    """

    def __init__(
        self, front: nn.Module, channels: int = 192, kernels: Sequence[int] = (7, 9, 11, 13), dropout: float = 0.1
    ) -> None:
        nn.Module.__init__(self)
        self.front = front  # first, since layers are told in the order of the data
        self._begin(cast(Encoder, front).out_dim, channels, kernels, dropout)
        self.context_steps += getattr(front, "context_steps", 0)

    @property
    def ignores_padding(self) -> bool:
        """Whether the front end does; what is behind it does."""
        return ignores_padding(self.front)

    @property
    def time_stride(self) -> int:
        """Frames a step."""
        return cast(int, self.front.time_stride)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: as the front end takes them; lengths: (B,) in frames.
            returns (B, out_dim, steps) and lengths (B,) in steps.
        """
        sequence, steps = self.front(features, lengths)
        return self.convolved(sequence, steps), steps
