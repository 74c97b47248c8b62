"""Pictures that code draws: backgrounds, and things that move in front of them."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

Shape = tuple[int, int]
"""(height, width) in pixels."""


LEAST_CONTRAST = 0.05
"""Deviation of the values of a background: of two even ones, a change of shot could not be told from one of light."""


def colours(draw: np.random.Generator, number: int) -> Tensor:
    """(number, 3) in [0, 1], of one mood: all of them near to a line through the colours, dark to light."""
    base, tip = draw.random((2, 3))
    places = np.sort(draw.random(number))[:, None]
    found = base + (tip - base) * places + draw.normal(0.0, 0.12, (number, 3))
    return torch.from_numpy(np.clip(found, 0.0, 1.0).astype(np.float32))


def drawn_picture(draw: np.random.Generator, shape: Shape) -> Tensor:
    """A background: clouds, flat areas, stripes, blocks or a slope of brightness; never one that is all but even.

    Shape:
        returns (3, height, width) in [0, 1].
    """
    picture = _background(draw, shape)
    while float(picture.std((1, 2)).mean()) < LEAST_CONTRAST:
        picture = _background(draw, shape)
    return picture


def _background(draw: np.random.Generator, shape: Shape) -> Tensor:
    kind = draw.random()
    if kind < 0.3:
        field = clouds(draw, shape, draw.uniform(0.4, 1.0))
    elif kind < 0.55:
        field = clouds(draw, shape, 0.4).mul(int(draw.integers(3, 8))).floor()
        field = field / field.max().clamp_min(1.0)
    elif kind < 0.7:
        field = _stripes(draw, shape)
    elif kind < 0.9:
        field = _blocks(draw, shape)
    else:
        field = _slope(draw, shape)
    picture = _painted(field, colours(draw, int(draw.integers(2, 6))))
    if draw.random() < 0.5:
        picture = picture + draw.uniform(0.02, 0.15) * (clouds(draw, shape, 1.0) - 0.5)
    return picture.clamp(0.0, 1.0)


def clouds(draw: np.random.Generator, shape: Shape, roughness: float) -> Tensor:
    """Noise of several sizes, (height, width) in [0, 1]; ``roughness`` in (0, 1] is the share of each finer size."""
    field = torch.zeros(shape)
    cells, weight = int(draw.integers(1, 4)), 1.0
    while cells < min(shape):
        grid = torch.from_numpy(draw.random((1, 1, cells + 1, 2 * cells + 1), np.float32))
        field += weight * interpolate(grid, shape, mode="bilinear", align_corners=True)[0, 0]
        cells, weight = 2 * cells, weight * roughness
    low, high = field.aminmax()
    return (field - low) / (high - low).clamp_min(1e-6)


def _stripes(draw: np.random.Generator, shape: Shape) -> Tensor:
    across, down = _places(shape)
    angle, number = draw.uniform(0.0, math.pi), draw.uniform(2.0, 14.0)
    wave = torch.sin(2.0 * math.pi * number * (across * math.cos(angle) + down * math.sin(angle)) + draw.uniform(0, 6))
    return (wave > 0.0).float() if draw.random() < 0.5 else 0.5 + 0.5 * wave


def _blocks(draw: np.random.Generator, shape: Shape) -> Tensor:
    """Rectangles one over another: houses, windows, furniture."""
    height, width = shape
    field = torch.full(shape, float(draw.random()))
    for _ in range(int(draw.integers(4, 30))):
        tall, wide = (max(1, round(side * draw.uniform(0.05, 0.6))) for side in shape)
        top, left = int(draw.integers(-tall // 2, height)), int(draw.integers(-wide // 2, width))
        field[max(0, top) : top + tall, max(0, left) : left + wide] = float(draw.random())
    return field


def _slope(draw: np.random.Generator, shape: Shape) -> Tensor:
    across, down = _places(shape)
    angle = draw.uniform(0.0, 2.0 * math.pi)
    field = across * math.cos(angle) + down * math.sin(angle)
    low, high = field.aminmax()
    return (field - low) / (high - low).clamp_min(1e-6)


def _places(shape: Shape) -> tuple[Tensor, Tensor]:
    """How far across and down each pixel lies, in [0, 1]."""
    down, across = torch.meshgrid(*(torch.linspace(0.0, 1.0, side) for side in shape), indexing="ij")
    return across, down


def _painted(field: Tensor, palette: Tensor) -> Tensor:
    """(height, width) in [0, 1] through a palette, (3, height, width)."""
    place = field * (len(palette) - 1)
    below = place.floor().long().clamp(0, len(palette) - 2)
    share = (place - below)[..., None]
    return (palette[below] * (1.0 - share) + palette[below + 1] * share).permute(2, 0, 1)


@dataclass(frozen=True, slots=True)
class Thing:
    """A body that moves through the picture; lengths are parts of its height and width."""

    is_round: bool
    size: tuple[float, float]
    start: tuple[float, float]
    step: tuple[float, float]
    """Down and across, a frame."""
    sway: float
    """Of its path, to and fro."""
    palette: Tensor
    """Its upper and its lower colour."""
    softness: float

    @classmethod
    def drawn(cls, draw: np.random.Generator, frames: int, largest: float) -> "Thing":
        size = draw.uniform(0.06, largest, 2)
        pace = draw.choice([0.0, 0.5, 1.0, 3.0]) / max(frames, 8)
        return cls(
            is_round=bool(draw.random() < 0.6),
            size=(float(size[0]), float(size[1])),
            start=(float(draw.random()), float(draw.uniform(-0.2, 1.2))),
            step=(float(draw.normal(0.0, 0.4) * pace), float(draw.normal(0.0, 1.0) * pace)),
            sway=float(draw.uniform(0.0, 0.08)),
            palette=colours(draw, 2),
            softness=float(draw.uniform(0.05, 0.3)),
        )

    def put_on(self, frames: Tensor) -> None:
        """Paint it into (T, 3, height, width)."""
        number, _, height, width = frames.shape
        time = torch.arange(number)[:, None, None]
        down = torch.linspace(0.0, 1.0, height)[None, :, None]
        across = torch.linspace(0.0, 1.0, width)[None, None, :]
        y = (down - self.start[0] - self.step[0] * time - self.sway * torch.sin(0.2 * time)) / self.size[0]
        x = (across - self.start[1] - self.step[1] * time - self.sway * torch.sin(0.13 * time + 1.0)) / self.size[1]
        distance = (x.square() + y.square()).sqrt() if self.is_round else torch.maximum(x.abs(), y.abs())
        alpha = ((1.0 - distance) / self.softness).clamp(0.0, 1.0)[:, None]
        shade = (0.5 + 0.5 * y).clamp(0.0, 1.0)[:, None]
        upper, lower = (colour[:, None, None] for colour in self.palette)
        frames.lerp_(upper + (lower - upper) * shade, alpha)
