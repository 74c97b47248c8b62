"""Senses that look at one another over time, before they become one vector."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, cat, nn

from avpipe.networks.fusion import Lengths
from avpipe.networks.masking import time_mask


class CrossModalAttention(nn.Module):
    """Each step of a sense gathers what fits it from all steps of each other sense; then the mean over time of each.

    It fuses sequences, so that no pooling comes before it.

    Args:
        feature_dims: length of the vectors in each sense's sequence, by its name.
        dim: length of the vectors that attend, a multiple of ``heads``.
        heads: of the attention.

    Reference:
        Y.-H. H. Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", 2019,
        arXiv:1906.00295. One block a pair of senses, without their self-attention on top. A sense that an item lacks
        is looked at by none, and looks at none.
    """

    takes_sequences = True

    def __init__(self, feature_dims: Mapping[str, int], dim: int = 32, heads: int = 4) -> None:
        super().__init__()
        senses = tuple(feature_dims)
        self.project = nn.ModuleDict({sense: nn.Linear(length, dim) for sense, length in feature_dims.items()})
        self.norms = nn.ModuleDict({sense: nn.LayerNorm(dim) for sense in senses})
        self.looks = nn.ModuleDict(
            {
                f"{sense}_at_{other}": nn.MultiheadAttention(dim, heads, batch_first=True)
                for sense in senses
                for other in senses
                if other != sense
            }
        )
        self.out_dim = dim * len(senses)

    def forward(self, sequences: dict[str, Tensor], lengths: Lengths) -> Tensor:
        """
        Shape:
            sequences: (B, channels, T) and lengths: (B,) for each sense.
            returns (B, out_dim), zeros for what is lacked.
        """
        steps = {sense: self._steps(sense, sequences[sense]) for sense in self.project}
        masks = {sense: time_mask(lengths[sense], each.shape[1]) for sense, each in steps.items()}
        pooled = []
        for sense, own in steps.items():
            gathered = own
            for other in steps:
                if other != sense:
                    gathered = gathered + self._gathered(f"{sense}_at_{other}", own, steps[other], masks[other])
            weight = masks[sense][:, :, None].to(own.dtype)
            mean = (self.norms[sense](gathered) * weight).sum(1) / weight.sum(1).clamp_min(1.0)
            pooled.append(mean)
        return cat(pooled, dim=1)

    def _steps(self, sense: str, sequence: Tensor) -> Tensor:
        """(B, channels, T) to (B, T, dim), each step with its place."""
        projected: Tensor = self.project[sense](sequence.transpose(1, 2))
        return projected + _places(projected.shape[1], projected.shape[2]).to(projected)

    def _gathered(self, look: str, own: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        present = mask[:, :1]
        # Where there is nothing to look at, the first step is let through and then left out: softmax needs one.
        hidden = ~torch.cat([torch.ones_like(present), mask[:, 1:]], dim=1)
        told, _ = self.looks[look](own, other, other, key_padding_mask=hidden, need_weights=False)
        return told * present[:, :, None]


def _places(steps: int, dim: int) -> Tensor:
    """(steps, dim): sines and cosines of the place, as of A. Vaswani et al., 2017, arXiv:1706.03762."""
    rates = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]
