"""From the end of one shot to the beginning of the next."""

import math

import numpy as np
import torch
from torch import Tensor

from avpipe.corpora.editing.pictures import clouds

GRADUAL_KINDS = ("dissolve", "fade", "wipe", "push")


def drawn_kind(draw: np.random.Generator) -> str:
    """One of :data:`GRADUAL_KINDS`."""
    return str(draw.choice(GRADUAL_KINDS, p=(0.5, 0.32, 0.13, 0.05)))


def mixed(kind: str, old: Tensor, new: Tensor, draw: np.random.Generator) -> Tensor:
    """The frames of a gradual transition; none of them is one of the shots alone.

    Args:
        kind: one of :data:`GRADUAL_KINDS`.
        old: the shot that goes, while it goes.
        new: the shot that comes, while it comes.
        draw: what is drawn.

    Shape:
        old, new: (T, 3, height, width); returned in the same shape.
    """
    number = len(old)
    share = torch.arange(1, number + 1, dtype=torch.float32) / (number + 1)
    if draw.random() < 0.3:
        share = share.square() * (3.0 - 2.0 * share)
    if kind == "fade":
        return _through_colour(old, new, draw)
    if kind == "wipe":
        return _wiped(old, new, share, draw)
    if kind == "push":
        return _pushed(old, new, share, int(draw.integers(4)))
    return torch.lerp(old, new, share[:, None, None, None])


def _through_colour(old: Tensor, new: Tensor, draw: np.random.Generator) -> Tensor:
    """Down to black, white or another colour, a while there, and up again.

    Neither is a cut: of a shot that fades out and another that begins at once, some lists say that there is a cut.
    """
    number = len(old)
    colour = _colour(draw)
    down, up = draw.uniform(0.3, 1.0, 2)
    hold = draw.uniform(0.0, 0.8) if draw.random() < 0.6 else 0.05
    first, last = (round(number * place / (down + hold + up)) for place in (down, down + hold))
    out = torch.ones(number)
    out[:first] = torch.arange(1, first + 1) / (first + 1)
    back = torch.ones(number)
    back[last:] = 1.0 - torch.arange(1, number - last + 1) / (number - last + 1)
    fading = torch.where((torch.arange(number) < (first + last) // 2)[:, None, None, None], old, new)
    strength = torch.minimum(out, back)[:, None, None, None]
    return torch.lerp(fading, colour[:, None, None], strength)


def _colour(draw: np.random.Generator) -> Tensor:
    kind = draw.random()
    if kind < 0.7:
        return torch.full((3,), float(draw.choice([0.0, 0.0, 0.02, 0.06])))
    if kind < 0.92:
        return torch.ones(3)
    return torch.from_numpy(draw.random(3).astype(np.float32))


def _wiped(old: Tensor, new: Tensor, share: Tensor, draw: np.random.Generator) -> Tensor:
    """The new shot appears along a front: a line, a growing circle, a hand of a clock, blinds, or a ragged edge."""
    height, width = old.shape[2:]
    down, across = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    kind, angle = draw.random(), draw.uniform(0.0, 2.0 * math.pi)
    if kind < 0.5:
        angle = angle if kind < 0.15 else round(angle / (math.pi / 2)) * math.pi / 2
        when = across * math.cos(angle) + down * math.sin(angle)
    elif kind < 0.7:
        when = (across.square() + down.square()).sqrt() * (1.0 if draw.random() < 0.6 else -1.0)
    elif kind < 0.8:
        when = torch.remainder(torch.atan2(down, across) + angle, 2.0 * math.pi)
    elif kind < 0.9:
        when = torch.remainder((across if draw.random() < 0.5 else down) * draw.uniform(1.0, 5.0), 1.0)
    else:
        when = clouds(draw, (height, width), 0.5)
    low, high = when.aminmax()
    soft = float(draw.choice([0.01, 0.05, 0.2]))
    when = (when - low) / (high - low).clamp_min(1e-6) * (1.0 - soft)
    alpha = ((share[:, None, None] - when) / soft).clamp(0.0, 1.0)
    return torch.lerp(old, new, alpha[:, None])


def _pushed(old: Tensor, new: Tensor, share: Tensor, side: int) -> Tensor:
    """The new shot pushes the old one out at one of four sides."""
    axis = 2 if side < 2 else 1
    length = old.shape[axis + 1]
    rows = []
    for before, behind, part in zip(old, new, share.tolist(), strict=True):
        shift = min(length - 1, max(1, round(part * length)))
        if side % 2:
            rows.append(torch.cat([before, behind], axis).narrow(axis, shift, length))
        else:
            rows.append(torch.cat([behind, before], axis).narrow(axis, length - shift, length))
    return torch.stack(rows)
