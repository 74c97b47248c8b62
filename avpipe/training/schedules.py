"""How the learning rate goes over a run, step by step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from avpipe.errors import ArgumentError


class Schedule(ABC):
    """From an optimizer, whose groups hold the rates at the peak, to a scheduler that is stepped after each batch.

    Its state travels in checkpoints, and a run that goes on builds the same schedule anew and loads it.

    Args:
        warm_up_fraction: part of all steps until the peak; 0: the run begins there.
    """

    def __init__(self, warm_up_fraction: float) -> None:
        if not 0 <= warm_up_fraction < 1:
            subject = f"schedule.warm_up_fraction={warm_up_fraction}"
            raise ArgumentError(subject, "is no part of a run", "give a number from 0 to below 1")
        self.warm_up_fraction = float(warm_up_fraction)

    @abstractmethod
    def build(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """The scheduler of a run of ``total_steps`` batches."""

    def _warmed_up(self, step: int, total_steps: int, then: Callable[[float], float]) -> float:
        """The part of the peak at a step from 0: a line up to it, then what ``then`` makes of the way past it."""
        peak = max(self.warm_up_fraction * total_steps - 1, 0.0)
        if step < peak:
            return (step + 1) / (peak + 1)
        return then(min((step - peak) / (total_steps - peak), 1.0))


class OneCycle(Schedule):
    """The rate rises to its peak and falls to nothing, once over the whole run, both along a half cosine.

    Momentum (of AdamW: the first beta) falls from 0.95 to 0.85 while the rate rises, and back; an optimizer without
    momentum stays without.

    Reference:
        L. N. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
        2017, arXiv:1708.07120. As torch has it: cosines for lines, and no third phase.
    """

    def build(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        rising = self.warm_up_fraction
        if math.isclose(rising * total_steps, 1.0):
            rising *= 0.999  # a rise of one step alone has no length, by which torch divides
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=total_steps,
            pct_start=rising,
            cycle_momentum="betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0,
        )


class Cosine(Schedule):
    """The rate rises along a line and falls to nothing along half a cosine; momentum stays as it is.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016, arXiv:1608.03983,
        without restarts; the warm-up is that of P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in
        1 Hour", 2017, arXiv:1706.02677.
    """

    def build(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        def half_cosine(past_peak: float) -> float:
            return 0.5 * (1.0 + math.cos(math.pi * past_peak))

        return LambdaLR(optimizer, lambda step: self._warmed_up(step, total_steps, half_cosine))


class Constant(Schedule):
    """The rate rises along a line and stays; the run's mean of weights does what a falling rate would.

    Reference:
        As :class:`Cosine` for the warm-up.
    """

    def build(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        return LambdaLR(optimizer, lambda step: self._warmed_up(step, total_steps, lambda _: 1.0))
