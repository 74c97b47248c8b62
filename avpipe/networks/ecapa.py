"""Convolutions over time on all bands of a spectrogram at once, each channel weighed by the whole clip."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.networks.masking import time_mask
from avpipe.networks.pooling import MeanPooling


class SqueezeExcitation(nn.Module):
    """Channels weighed by what their means over time tell.

    Args:
        channels: in and out.
        hidden: width of the layer between.

    Reference:
        J. Hu et al., "Squeeze-and-Excitation Networks", 2017, arXiv:1709.01507; here over time.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.mean = MeanPooling(channels)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            x: (B, channels, T), returned in the same shape; lengths: (B,).
        """
        weights: Tensor = self.weigh(self.mean(x, lengths))
        return x * weights[:, :, None]


class Res2Block(nn.Module):
    """Channels in parts, each of which is convolved together with what came of the part before; added to x.

    Args:
        channels: in and out, a multiple of ``parts``.
        dilation: steps between the taps of the convolutions, of which there are three.
        parts: of the channels.
        hidden: of the :class:`SqueezeExcitation` at the end.
    """

    def __init__(self, channels: int, dilation: int, parts: int, hidden: int) -> None:
        super().__init__()
        if channels % parts:
            raise ValueError(f"channels={channels} must be a multiple of parts={parts}")
        width = channels // parts
        self.parts = parts
        self.before, self.behind = _convolved(channels, channels, 1), _convolved(channels, channels, 1)
        self.convolutions = nn.ModuleList(_convolved(width, width, 3, dilation) for _ in range(parts - 1))
        self.weigh = SqueezeExcitation(channels, hidden)

    def forward(self, x: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        """
        Shape:
            x: (B, channels, T), zero in the padding, returned in the same shape; mask: (B, 1, T); lengths: (B,).
        """
        first, *others = (self.before(x) * mask).chunk(self.parts, 1)
        said = [first]
        for place, (convolution, part) in enumerate(zip(self.convolutions, others, strict=True)):
            said.append(convolution(part + said[-1] if place else part) * mask)
        return x + self.weigh(self.behind(torch.cat(said, 1)) * mask, lengths)


def _convolved(channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = kernel // 2 * dilation
    convolution = nn.Conv1d(channels_in, channels_out, kernel, padding=padding, dilation=dilation)
    return nn.Sequential(convolution, nn.ReLU(), nn.BatchNorm1d(channels_out))


class EcapaEncoder(nn.Module):
    """ECAPA-TDNN without its pooling (:class:`avpipe.networks.AttentivePooling` is that) and without its last layer.

    Args:
        n_mels: bands of the spectrogram.
        channels: of the blocks.
        dilations: of the blocks.
        parts: of each block's channels.
        hidden: of the weighing at the end of each block.
        out_dim: length of the vectors, made of what the stem and all blocks say.

    Reference:
        B. Desplanques et al., "ECAPA-TDNN: Emphasized Channel Attention, Propagation and Aggregation in TDNN Based
        Speaker Verification", 2020, arXiv:2005.07143; S.-H. Gao et al., "Res2Net", 2019, arXiv:1904.01169. Here each
        block takes the output of the one before, not the sum of all; the stem, too, is heard at the end; and the sizes
        are a fraction of theirs.
    """

    ignores_padding = True

    def __init__(
        self,
        n_mels: int = 64,
        channels: int = 192,
        dilations: Sequence[int] = (2, 3, 4),
        parts: int = 8,
        hidden: int = 32,
        out_dim: int = 384,
    ) -> None:
        super().__init__()
        self.stem = _convolved(n_mels, channels, 5)
        self.blocks = nn.ModuleList(Res2Block(channels, dilation, parts, hidden) for dilation in dilations)
        self.join = nn.Sequential(nn.Conv1d((1 + len(dilations)) * channels, out_dim, 1), nn.ReLU())
        self.out_dim = out_dim
        self.time_stride = 1

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 1, n_mels, frames); lengths: (B,) in frames.
            returns (B, out_dim, frames) and the lengths.
        """
        mask = time_mask(lengths, features.shape[3])[:, None].to(features.dtype)
        x = self.stem(features[:, 0] * mask) * mask
        said = [x]
        for block in self.blocks:
            said.append(block(said[-1], mask, lengths))
        return self.join(torch.cat(said, 1)) * mask, lengths
