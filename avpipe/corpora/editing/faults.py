"""What happens to a film as a whole, and is no transition: bars, marks, grain, coding, pictures that come twice."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

Span = tuple[int, int]
"""A transition in frames: [first, end), as :class:`avpipe.corpora.transitions.Transition` has it in seconds."""

DARKEST = 0.1
"""Mean value of a film in [0, 1] below which none is darkened: nobody could tell its shots apart."""


def spoil(frames: Tensor, draw: np.random.Generator) -> Tensor:
    """Bars, a station's mark, grain, blur, coding, a dark film or a grey one; each in some films.

    Shape:
        frames: (T, 3, height, width) in [0, 1]; returned in the same shape.
    """
    if draw.random() < 0.08:
        frames = frames * max(draw.uniform(0.2, 0.6), min(1.0, DARKEST / max(float(frames.mean()), 1e-6)))
    if draw.random() < 0.12:
        frames = frames.mean(1, keepdim=True).expand(-1, 3, -1, -1) * _sepia(draw)
    if draw.random() < 0.15:
        frames = _coarse(frames, draw)
    if draw.random() < 0.1:
        frames = _pulsing(frames, draw)
    if draw.random() < 0.4:
        frames = _grainy(frames, draw)
    frames = frames.contiguous()
    if draw.random() < 0.25:
        _bars(frames, draw)
    if draw.random() < 0.2:
        _mark(frames, draw)
    return frames.clamp_(0.0, 1.0)


def _sepia(draw: np.random.Generator) -> Tensor:
    return torch.from_numpy(draw.uniform(0.85, 1.0, 3).astype(np.float32))[:, None, None]


def _coarse(frames: Tensor, draw: np.random.Generator) -> Tensor:
    """As from fewer pixels."""
    factor = draw.uniform(1.2, 3.0)
    small = interpolate(frames, scale_factor=1.0 / factor, mode="bilinear", antialias=True)
    return interpolate(small, frames.shape[2:], mode="bilinear" if draw.random() < 0.5 else "nearest")


def _pulsing(frames: Tensor, draw: np.random.Generator) -> Tensor:
    """Every so many frames the picture is sharp, and between these it drifts away from it, as where bits are few."""
    period = int(draw.integers(6, 60))
    age = (torch.arange(len(frames)) % period).float() / period
    blurred = interpolate(interpolate(frames, scale_factor=0.5, mode="area"), frames.shape[2:], mode="bilinear")
    return torch.lerp(frames, blurred, (draw.uniform(0.3, 1.0) * age)[:, None, None, None])


def _grainy(frames: Tensor, draw: np.random.Generator) -> Tensor:
    number, _, height, width = frames.shape
    channels = 3 if draw.random() < 0.5 else 1
    noise = draw.standard_normal((min(number, 16), channels, height, width), np.float32)
    noise = noise[draw.integers(0, len(noise), number)]
    return frames + float(np.exp(draw.uniform(np.log(0.004), np.log(0.06)))) * torch.from_numpy(noise)


def _bars(frames: Tensor, draw: np.random.Generator) -> None:
    """Above and below, or at both sides; black, or what is beside an upright film: a blurred or coloured field."""
    axis = 2 if draw.random() < 0.6 else 3
    side = frames.shape[axis]
    thick = max(1, round(side * draw.uniform(0.05, 0.3)))
    colour = 0.0 if draw.random() < 0.8 else float(draw.random())
    frames.narrow(axis, 0, thick).fill_(colour)
    frames.narrow(axis, side - thick, thick).fill_(colour)


def _mark(frames: Tensor, draw: np.random.Generator) -> None:
    """In a corner, all the time."""
    height, width = frames.shape[2:]
    tall, wide = (max(1, round(side * draw.uniform(0.06, 0.18))) for side in (height, width))
    top = round(0.03 * height) if draw.random() < 0.5 else height - tall - round(0.03 * height)
    left = round(0.03 * width) if draw.random() < 0.5 else width - wide - round(0.03 * width)
    picture = torch.from_numpy(draw.random((3, tall, wide), np.float32))
    frames[:, :, top : top + tall, left : left + wide].lerp_(picture, float(draw.uniform(0.3, 1.0)))


def drawn_pace(draw: np.random.Generator, number: int) -> np.ndarray:
    """Which picture stands at each place of a film; in some, pictures come twice or are left out.

    Shape:
        returns (number,), rising places below ``number``.
    """
    kind = draw.random()
    places = np.arange(number)
    if kind < 0.06:  # drawn films: each picture for two or three frames
        return places // int(draw.integers(2, 4))
    if kind < 0.1:  # cinema on television: four pictures become five
        return places * 4 // 5
    if kind < 0.16:  # a recorder that stumbles
        steps = draw.choice([0, 1, 2], number, p=(0.08, 0.86, 0.06))
        return np.minimum(np.cumsum(steps), number - 1)
    if kind < 0.18:  # more frames than pictures, at an odd ratio
        return (places * draw.uniform(0.4, 0.98)).astype(int)
    return places


def at_pace(spans: Sequence[Span], places: np.ndarray) -> list[Span]:
    """Where transitions are when frame ``places[t]`` stands at t; those that fall out at the end are left out."""
    moved = [(int(first), int(end)) for first, end in np.searchsorted(places, np.array(spans).reshape(-1, 2))]
    return [(first, end) for first, end in moved if first < len(places)]


def blended(frames: Tensor, draw: np.random.Generator) -> Tensor:
    """Now and then a film whose frames are each a mixture with the one before, as of fields or of another rate."""
    if draw.random() >= 0.06:
        return frames
    share = draw.uniform(0.1, 0.45)
    mixed = frames.clone()
    mixed[1:].lerp_(frames[:-1], share)
    return mixed
