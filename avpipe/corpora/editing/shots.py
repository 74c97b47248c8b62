"""One shot: recorded or drawn material before a camera that moves, in some light, with what happens in it."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from avpipe.corpora.editing.pictures import Shape, Thing

_LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


@dataclass(frozen=True, slots=True)
class View:
    """What of the material the camera sees: its centre, in [-1, 1] down and across, and the part of the width."""

    down: float
    across: float
    part: float

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> "View":
        part = float(draw.uniform(0.4, 1.0))
        room = 1.0 - part
        return cls(float(draw.uniform(-room, room)), float(draw.uniform(-room, room)), part)

    def is_other_than(self, other: "View") -> bool:
        """Whether a cut from one to the other is one that people see."""
        nearer, farther = sorted((self.part, other.part))
        shift = math.hypot(self.down - other.down, self.across - other.across)
        return farther / nearer >= 1.4 or shift >= 0.6 * nearer


@dataclass(frozen=True, slots=True)
class Grade:
    """Exposure, contrast and colours of a film, or of a shot."""

    gain: float
    gamma: float
    saturation: float
    tint: tuple[float, float, float]

    @classmethod
    def drawn(cls, draw: np.random.Generator, strength: float) -> "Grade":
        red, green, blue = np.exp(draw.normal(0.0, 0.12 * strength, 3))
        return cls(
            gain=float(np.exp(draw.normal(0.0, 0.25 * strength))),
            gamma=float(np.exp(draw.normal(0.0, 0.25 * strength))),
            saturation=float(np.clip(draw.normal(1.0, 0.4 * strength), 0.0, 2.0)),
            tint=(float(red), float(green), float(blue)),
        )

    def after(self, other: "Grade") -> "Grade":
        """Both, one after the other."""
        red, green, blue = (one * two for one, two in zip(self.tint, other.tint, strict=True))
        saturation = min(self.saturation * other.saturation, 2.0)
        return Grade(self.gain * other.gain, self.gamma * other.gamma, saturation, (red, green, blue))

    def put_on(self, frames: Tensor, light: Tensor | None = None) -> Tensor:
        """
        Args:
            frames: to be graded.
            light: of each frame, (T,), by which its exposure is multiplied.

        Shape:
            frames: (T, 3, height, width) in [0, 1]; returned in the same shape.
        """
        grey = (frames * _LUMA).sum(1, keepdim=True)
        frames = torch.lerp(grey, frames, self.saturation) * (torch.tensor(self.tint)[:, None, None] * self.gain)
        if light is not None:
            frames = frames * light[:, None, None, None]
        return frames.clamp_(0.0, 1.0).pow_(self.gamma)


def render_shot(
    material: Tensor,
    view: View,
    grade: Grade,
    draw: np.random.Generator,
    frames: int,
    shape: Shape,
    events: float,
    jerky: float = 0.0,
) -> Tensor:
    """Take so many frames of a material.

    Args:
        material: that is filmed.
        view: of the camera, when it begins.
        grade: of the shot.
        draw: what is drawn.
        frames: to be taken.
        shape: of the pictures.
        events: in [0, 1], how often lights change and flash, and captions appear.
        jerky: part of the shots in which a picture stands for two to six frames, as from a surveillance camera.

    Shape:
        material: (T, 3, height, width), uint8; one frame: a still picture.
        returns (frames, 3, *shape) in [0, 1].
    """
    number = len(material)
    if number > 1:
        pace = 1.0 if draw.random() < 0.5 else float(np.exp(draw.uniform(math.log(0.3), math.log(2.5))))
        held = int(draw.integers(2, 7)) if jerky and draw.random() < jerky else 1
        places = _to_and_fro(draw.uniform(0.0, number) + pace * held * (np.arange(frames) // held), number)
        material = material[torch.from_numpy(places)]
    shown = _through_camera(material, view, draw, frames, shape)
    for _ in range(_number_of_things(draw, is_still=number == 1)):
        Thing.drawn(draw, frames, largest=0.5).put_on(shown)
    shown = grade.put_on(shown, _light(draw, frames) if draw.random() < events else None)
    if draw.random() < 0.18 * events:
        _flash(shown, draw)
    if draw.random() < 0.27 * events:
        _caption(shown, draw)
    return shown


def _to_and_fro(places: np.ndarray, number: int) -> np.ndarray:
    """Places on a strip of frames that is played forwards, then backwards, and so on."""
    period = 2 * max(1, number - 1)
    within = np.floor(places).astype(int) % period
    return np.minimum(within, period - within)


def _number_of_things(draw: np.random.Generator, is_still: bool) -> int:
    if is_still:
        return int(draw.integers(0, 6)) if draw.random() < 0.8 else 0
    return int(draw.integers(1, 3)) if draw.random() < 0.2 else 0


def _through_camera(material: Tensor, view: View, draw: np.random.Generator, frames: int, shape: Shape) -> Tensor:
    """The view, which pans, zooms and shakes, and stops at the material's edges."""
    height, width = shape
    time = np.arange(frames)
    part = np.full(frames, view.part)
    centre = np.tile([[view.down, view.across]], (frames, 1))
    if draw.random() < 0.35:
        part = np.clip(part * np.exp(draw.normal(0.0, 0.01) * time), 0.15, 1.0)
    if draw.random() < 0.45:
        centre = centre + draw.normal(0.0, 1.0, 2) * draw.choice([0.003, 0.01, 0.03, 0.08]) * time[:, None]
    if draw.random() < 0.3:
        shake = np.cumsum(draw.normal(0.0, draw.uniform(0.002, 0.03), (frames, 2)), axis=0)
        centre = centre + shake - 0.9 * np.linspace(0.0, 1.0, frames)[:, None] * shake[-1]
    wide = material.shape[3] / material.shape[2]
    tall = np.minimum(part * wide * height / width, 1.0) if draw.random() < 0.8 else part
    room = 1.0 - np.stack([tall, part], 1)
    angle = draw.normal(0.0, 0.06) if draw.random() < 0.2 else 0.0
    pictures = material.float() / 255.0
    if view.part * material.shape[3] > 1.3 * width:
        # As a decoder that scales down, which takes the mean of the pixels that become one.
        pictures = avg_pool2d(pictures, 2)
    grid = _seen_places(np.clip(centre, -room, room), np.stack([tall, part], 1), angle, shape)
    # A tilted view has corners beyond the edges: there is the mirror image.
    return grid_sample(pictures.expand(frames, -1, -1, -1), grid, "bilinear", "reflection", align_corners=False)


def _seen_places(centre: np.ndarray, part: np.ndarray, angle: float, shape: Shape) -> Tensor:
    """Where in the material each pixel of each frame lies, from -1 to 1.

    Shape:
        centre, part: (T, 2), down and across; returns (T, *shape, 2), across and down.
    """
    height, width = shape
    y = ((torch.arange(height) + 0.5) * 2.0 / height - 1.0)[None, :, None]
    x = ((torch.arange(width) + 0.5) * 2.0 / width - 1.0)[None, None, :]
    (down, across), (tall, wide) = (
        torch.from_numpy(each.astype(np.float32)).T[:, :, None, None] for each in (centre, part)
    )
    sine, cosine = math.sin(angle), math.cos(angle)
    return torch.stack([across + wide * cosine * x - tall * sine * y, down + wide * sine * x + tall * cosine * y], 3)


def _light(draw: np.random.Generator, frames: int) -> Tensor | None:
    """Of each frame: steady, rising or falling, flickering, or switched over once."""
    kind = draw.random()
    if kind < 0.1:
        light = np.exp(draw.normal(0.0, 0.5) * np.linspace(0.0, 1.0, frames))
    elif kind < 0.16:
        light = np.exp(draw.normal(0.0, draw.uniform(0.01, 0.12), frames))
    elif kind < 0.21:
        light = np.where(np.arange(frames) < draw.uniform(0.0, frames), 1.0, np.exp(draw.normal(0.0, 0.5)))
    elif kind < 0.25:
        light = 1.0 + draw.uniform(0.05, 0.3) * np.sin(draw.uniform(0.1, 1.5) * np.arange(frames))
    else:
        return None
    return torch.from_numpy(light.astype(np.float32))


def _flash(shown: Tensor, draw: np.random.Generator) -> None:
    """A photographer's flash, a shot, lightning: one to five frames, white or nearly, that die away."""
    for _ in range(int(draw.integers(1, 4))):
        first, length = int(draw.integers(0, len(shown))), int(draw.integers(1, 6))
        part = shown[first : first + length]
        strength = draw.uniform(0.2, 1.0) * torch.linspace(1.0, float(draw.random()), len(part))[:, None, None, None]
        part.lerp_(torch.ones(()), strength)


def _caption(shown: Tensor, draw: np.random.Generator) -> None:
    """Letters, or a box with letters, that come and go at once."""
    frames, _, height, width = shown.shape
    first = int(draw.integers(-frames // 2, frames))
    length = int(draw.integers(8, 120))
    tall = max(1, round(height * draw.uniform(0.05, 0.25)))
    wide = max(1, round(width * draw.uniform(0.2, 0.9)))
    top = round((height - tall) * (draw.uniform(0.7, 1.0) if draw.random() < 0.7 else draw.random()))
    left = round((width - wide) * draw.random())
    part = shown[max(0, first) : max(0, first + length), :, top : top + tall, left : left + wide]
    letters = torch.from_numpy(draw.random((tall, wide)) < draw.uniform(0.2, 0.6))
    ink, paper = torch.from_numpy(draw.random((2, 3)).astype(np.float32)) if draw.random() < 0.4 else torch.eye(3)[:2]
    if draw.random() < 0.5:
        part[:] = torch.where(letters, ink[:, None, None], paper[:, None, None])
    else:
        part[:] = torch.where(letters, torch.ones(3, 1, 1), part)
