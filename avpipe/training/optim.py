"""Optimizers with their schedules, and the running mean of weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from avpipe.errors import ArgumentError
from avpipe.training.schedules import Schedule


class Recipe(ABC):
    """An optimizer and how its learning rate goes.

    Args:
        lr: at the schedule's peak.
        weight_decay: of weights with two or more dimensions; biases and normalisation scales do not decay.
        schedule: of the learning rate.
    """

    def __init__(self, lr: float, weight_decay: float, schedule: Schedule) -> None:
        for key, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ArgumentError(f"optim.{key}={value}", "must not be negative")
        self.lr = float(lr)
        self.weight_decay = float(weight_decay)
        self.schedule = schedule

    @abstractmethod
    def optimizer(self, module: nn.Module) -> Optimizer:
        """The optimizer of ``module``'s trainable parameters."""

    def configure(self, module: nn.Module, total_steps: int) -> dict[str, Any]:
        """The optimizer and schedule of ``module``'s trainable parameters, in Lightning's form."""
        optimizer = self.optimizer(module)
        schedule = self.schedule.build(optimizer, total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self, module: nn.Module) -> list[dict[str, Any]]:
        trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
        return [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]


class AdamW(Recipe):
    """Adam with decoupled weight decay.

    Args:
        lr: as :class:`Recipe` has it.
        weight_decay: as :class:`Recipe` has it.
        schedule: as :class:`Recipe` has it.

    Reference:
        I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2017, arXiv:1711.05101. As torch has it:
        the decay is scaled by the learning rate.
    """

    def optimizer(self, module: nn.Module) -> Optimizer:
        return torch.optim.AdamW(self._groups(module), lr=self.lr)


class SGD(Recipe):
    """Stochastic gradient descent with momentum.

    Args:
        lr: as :class:`Recipe` has it.
        weight_decay: as :class:`Recipe` has it; here a part of the gradient.
        schedule: as :class:`Recipe` has it.
        momentum: part of the last step that is taken again; a one-cycle schedule sets its own.
        nesterov: the gradient is taken where the momentum leads.

    Reference:
        I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013. As torch
        has it: the learning rate scales the momentum too.
    """

    def __init__(
        self, lr: float, weight_decay: float, schedule: Schedule, momentum: float = 0.9, nesterov: bool = True
    ) -> None:
        super().__init__(lr, weight_decay, schedule)
        if not 0 <= momentum < 1:
            raise ArgumentError(f"optim.momentum={momentum}", "is no part", "give a number from 0 to below 1")
        if nesterov and momentum == 0:
            raise ArgumentError("optim.nesterov=true", "there is no momentum", "give optim.nesterov=false")
        self.momentum = float(momentum)
        self.nesterov = nesterov

    def optimizer(self, module: nn.Module) -> Optimizer:
        return torch.optim.SGD(self._groups(module), lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)


def warmed_up_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """An exponential running mean of weights, for torch's ``AveragedModel`` (its ``multi_avg_fn``).

    Args:
        decay: part of the old mean that is kept a step. At step n no more than (1 + n) / (10 + n) is, so that short
            runs do not remember where they began; 0 keeps the newest weights.

    Reference:
        B. Polyak, A. Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; the warm-up is that of
        TensorFlow's ``ExponentialMovingAverage``.
    """

    @torch.no_grad()
    def average(means: list[Tensor], newest: list[Tensor], count: Tensor | int) -> None:
        kept = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        # All tensors at a time, which takes less than half as long as one by one.
        both = torch._foreach_add(torch._foreach_mul(means, kept), torch._foreach_mul(newest, 1.0 - kept))
        torch._foreach_copy_(means, both)

    return average
