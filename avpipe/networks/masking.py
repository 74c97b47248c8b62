"""True lengths of padded batches."""

import torch
from torch import Tensor


def time_mask(lengths: Tensor, steps: int) -> Tensor:
    """1 where a step is within its item's length, 0 in the padding.

    Shape:
        lengths: (B,); returns (B, steps), bool.
    """
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def strided(lengths: Tensor, stride: int) -> Tensor:
    """Lengths after layers whose strides multiply to ``stride`` and whose padding keeps half a kernel: rounded up."""
    return (lengths + stride - 1) // stride
