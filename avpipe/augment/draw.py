"""What is drawn, and from which generator."""

import math

import numpy as np


def item_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator of one item in one epoch: the same on any worker, whatever was drawn for other items."""
    return np.random.default_rng([seed, epoch, index])


def random_start(duration_sec: float, window_sec: float, generator: np.random.Generator) -> float:
    """Start in seconds of a random window within a recording; 0 where the recording is shorter."""
    return float(generator.uniform(0.0, max(duration_sec - window_sec, 0.0)))


def child_generator(generator: np.random.Generator) -> np.random.Generator:
    """A generator for a number of draws that is not known before: its parent goes on as after one draw.

    ``Generator.spawn`` would not do, as it counts its children outside the generator's state.
    """
    return np.random.default_rng(int(generator.integers(2**63)))


def log_uniform(low: float, high: float, generator: np.random.Generator) -> float:
    """A positive number, drawn evenly in its logarithm: as often in one octave as in the next."""
    return math.exp(generator.uniform(math.log(low), math.log(high)))


def check_range(**bounds: float) -> None:
    """Refuse two named bounds, the lower first, between which no positive number can be drawn.

    Raises:
        ValueError: naming both.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not 0.0 < low <= high:
        raise ValueError(f"{low_name}={low} must lie above 0 and at or below {high_name}={high}")
