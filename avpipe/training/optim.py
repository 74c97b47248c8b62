"""Optimizers with their schedules, and the running mean of weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from avpipe.errors import ArgumentError
from avpipe.training.schedules import Schedule

RateFactors = Mapping[nn.Parameter, float]
"""Of weights, what the learning rate is multiplied by; of all others it is 1."""

NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


class Recipe(ABC):
    """An optimizer and how its learning rate goes.

    Args:
        lr: at the schedule's peak.
        weight_decay: of weights with two or more dimensions; biases and what normalises do not decay.
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
    def optimizer(self, module: nn.Module, rate_factors: RateFactors | None = None) -> Optimizer:
        """The optimizer of ``module``'s trainable parameters; the rate of each is ``lr``, times its factor if any."""

    def configure(self, module: nn.Module, total_steps: int, rate_factors: RateFactors | None = None) -> dict[str, Any]:
        """The optimizer and schedule of ``module``'s trainable parameters, in Lightning's form."""
        optimizer = self.optimizer(module, rate_factors)
        schedule = self.schedule.build(optimizer, total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self, module: nn.Module, rate_factors: RateFactors | None) -> list[dict[str, Any]]:
        """Two for each rate, the highest first: what decays, and what does not."""
        factors = rate_factors or {}
        normalising = {
            parameter
            for part in module.modules()
            if isinstance(part, NORMALISATIONS)
            for parameter in part.parameters(recurse=False)
        }
        trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups: list[dict[str, Any]] = []
        for factor in sorted({factors.get(parameter, 1.0) for parameter in trainable}, reverse=True):
            alike = [parameter for parameter in trainable if factors.get(parameter, 1.0) == factor]
            decaying = [parameter for parameter in alike if parameter.ndim > 1 and parameter not in normalising]
            others = [parameter for parameter in alike if parameter.ndim <= 1 or parameter in normalising]
            for parameters, decay in ((decaying, self.weight_decay), (others, 0.0)):
                groups.append({"params": parameters, "lr": self.lr * factor, "weight_decay": decay})
        return groups


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

    def optimizer(self, module: nn.Module, rate_factors: RateFactors | None = None) -> Optimizer:
        return torch.optim.AdamW(self._groups(module, rate_factors), lr=self.lr)


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

    def optimizer(self, module: nn.Module, rate_factors: RateFactors | None = None) -> Optimizer:
        groups = self._groups(module, rate_factors)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)


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
        both = [pair for pair in zip(means, newest, strict=True) if pair[0].is_floating_point()]
        if both:
            # All tensors at a time, which takes less than half as long as one by one; and on the line between old and
            # new, so that what stands still keeps every bit.
            torch._foreach_lerp_([mean for mean, _ in both], [new for _, new in both], 1.0 - kept)
        for mean, new in zip(means, newest, strict=True):
            if not mean.is_floating_point():  # counts of batches have no mean
                mean.copy_(new)

    return average
