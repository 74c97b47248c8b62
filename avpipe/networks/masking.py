"""True lengths of padded batches."""

import torch
from torch import Tensor


def ignores_padding(*modules: object) -> bool:
    """Whether what each of them says, but for rounding, is the same behind however much padding: they say so."""
    return all(getattr(module, "ignores_padding", False) for module in modules)


def time_mask(lengths: Tensor, steps: int) -> Tensor:
    """1 where a step is within its item's length, 0 in the padding.

    Shape:
        lengths: (B,); returns (B, steps), bool.
    """
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def strided(lengths: Tensor, stride: int) -> Tensor:
    """Lengths after layers whose strides multiply to ``stride`` and whose padding keeps half a kernel: rounded up."""
    return (lengths + stride - 1) // stride
