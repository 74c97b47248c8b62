"""Optimizers with their schedules, and the running mean of weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class OneCycleAdamW:
    """AdamW whose learning rate rises to a peak and falls to nothing, once over the whole run.

    Args:
        lr: at the peak.
        weight_decay: of weights with two or more dimensions; biases and normalisation scales do not decay.
        warm_up_fraction: part of all steps until the peak.

    Reference:
        I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2017, arXiv:1711.05101; L. N. Smith,
        N. Topin, "Super-Convergence", 2017, arXiv:1708.07120 (momentum is cycled as well).
    """

    def __init__(self, lr: float, weight_decay: float, warm_up_fraction: float) -> None:
        self.lr = lr
        self.weight_decay = weight_decay
        self.warm_up_fraction = warm_up_fraction

    def configure(self, module: nn.Module, total_steps: int) -> dict[str, Any]:
        """The optimizer and schedule of ``module``'s trainable parameters, in Lightning's form."""
        trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.lr)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.lr, total_steps=total_steps, pct_start=self.warm_up_fraction
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def warmed_up_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential running mean of weights, for torch's ``AveragedModel``.

    Args:
        decay: part of the old mean that is kept a step. At step n no more than (1 + n) / (10 + n) is, so that short
            runs do not remember where they began; 0 keeps the newest weights.

    Reference:
        B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the warm-up is that of
        TensorFlow's ``ExponentialMovingAverage``.
    """

    def average(mean: Tensor, newest: Tensor, count: Tensor | int) -> Tensor:
        kept = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        return kept * mean + (1.0 - kept) * newest

    return average
