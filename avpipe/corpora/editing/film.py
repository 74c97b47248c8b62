"""A film of many shots, made of recorded and drawn material, and the transitions in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avpipe.corpora.editing.faults import Span, at_pace, blended, drawn_pace, spoil
from avpipe.corpora.editing.mixes import drawn_kind, mixed
from avpipe.corpora.editing.pictures import Shape, drawn_picture
from avpipe.corpora.editing.shots import Grade, View, render_shot

SHORTEST_GRADUAL, LONGEST_GRADUAL = 6, 72
"""Frames: the longest 2.9 s at 25 a second, 1.2 s at 60. What is shorter than six frames is a cut to the field
(A. F. Smeaton, P. Over, A. R. Doherty, "Video shot boundary detection: Seven years of TRECVid activity", CVIU 2010)."""

SEEN = 0.012
"""Mean difference of two pictures in [0, 1] below which they are taken for one: three levels of 256."""


@dataclass(frozen=True, slots=True)
class Material:
    """What one shot can be taken of."""

    pictures: Tensor
    """(T, 3, height, width), uint8."""
    source: str
    """Names what it was cut from; material of one source looks alike."""


@dataclass(frozen=True, slots=True)
class Style:
    """What films are made of."""

    shape: Shape
    """(height, width) of the pictures."""
    gradual: float
    """Part of the transitions that are."""
    shortest: int = 6
    """Frames of a shot, apart from its transitions: what is shorter is a flash, and is none."""
    longest: int = 200
    drawn: float = 0.25
    """Part of the shots that are of drawn material."""
    usual: tuple[float, float] = (12.0, 90.0)
    """Frames of a shot, about: those of a film lie around a number between these."""
    events: float = 1.0
    """How often lights change and flash, and captions appear: as a part of the most, which is in every other shot."""
    jerky: float = 0.0
    """Part of the recorded shots that show few pictures a second, each for some frames."""
    whole: bool = False
    """Whether films begin and end within a shot; else some begin in the middle of a transition, and some end so."""


@dataclass(frozen=True, slots=True)
class MadeFilm:
    """A film and what is in it."""

    frames: Tensor
    """(T, 3, height, width) in [0, 1]."""
    spans: tuple[Span, ...]
    """Transitions, in frames: a cut is (first, first), a gradual one [first, end). One that reaches over an edge of
    the film is cut there, and is then no transition between two of its shots."""

    def labels(self) -> np.ndarray:
        """As :func:`avpipe.corpora.transitions.frame_labels`, (2, T); fades at the edges are gradual too."""
        labels = np.zeros((2, len(self.frames)), np.float32)
        for first, end in self.spans:
            if end > first:
                labels[1, first:end] = 1.0
            else:
                labels[0, first] = 1.0
        return labels

    def between_shots(self) -> list[Span]:
        """The transitions that lead from one of its shots to another."""
        return [(first, end) for first, end in self.spans if first > 0 and end < len(self.frames)]


def make_film(materials: Sequence[Material], style: Style, draw: np.random.Generator, length: int) -> MadeFilm:
    """Draw a film of ``length`` frames; if it need not be whole, it may begin in the middle of what happens in it."""
    skipped = int(draw.integers(1, 40)) if not style.whole and draw.random() < 0.2 else 0
    pace = drawn_pace(draw, skipped + length)
    taken = int(pace[-1]) + 1
    frames, spans = _Editor(materials, style, draw, taken / len(pace)).edited(taken)
    spans = at_pace(spans, pace)
    moved = [(max(0, first - skipped), min(end - skipped, length)) for first, end in spans if end >= skipped]
    kept = tuple((first, end) for first, end in moved if first < length and end > 0)
    shown = spoil(blended(frames[torch.from_numpy(pace[skipped:])], draw), draw)
    return MadeFilm(shown, tuple(span for span in kept if _is_seen(shown, span)))


def _is_seen(frames: Tensor, span: Span) -> bool:
    """Whether anybody could tell the shots apart, as the film may be all but black: no list would have it else."""
    first, end = max(0, span[0] - 1), min(span[1], len(frames) - 1)
    return float((frames[end] - frames[first]).abs().mean()) >= SEEN


class _Editor:
    """Puts shot behind shot until a film is long enough."""

    def __init__(self, materials: Sequence[Material], style: Style, draw: np.random.Generator, part: float) -> None:
        self.materials = materials
        self.style = style
        self.draw = draw
        self.part = part
        """Pictures of the film for each frame that will show them; below 1 some will come twice."""
        self.sources: dict[str, list[int]] = {}
        for place, material in enumerate(materials):
            self.sources.setdefault(material.source, []).append(place)
        self.film_grade = Grade.drawn(draw, 1.0)
        self.shot_strength = float(draw.choice([0.1, 0.4, 1.0]))
        """How far the light of a shot is from that of the film."""
        self.stays = float(draw.choice([0.1, 0.35, 0.7]))
        """Part of the cuts after which the same scene is seen from elsewhere."""
        self.usual = math.exp(draw.uniform(math.log(style.usual[0]), math.log(style.usual[1])))
        """Frames of a shot, about."""
        self.pictures = self._other_pictures()
        self.view = View.drawn(draw)
        self.grade = self.film_grade

    def edited(self, length: int) -> tuple[Tensor, list[Span]]:
        """At least so many frames, and the transitions in them; some films begin with a fade from black."""
        parts: list[Tensor] = []
        spans: list[Span] = []
        kind, old, done = "", torch.empty(0), 0
        opening = self._gradual_length() if self.draw.random() < 0.1 else 0
        while done < length:
            comes = len(old) if parts else opening
            next_kind = drawn_kind(self.draw) if self.draw.random() < self.style.gradual else ""
            alone, goes = self._length_alone(), self._gradual_length() if next_kind else 0
            if self.style.whole and done + comes + alone + goes + self.style.shortest > length:
                alone, goes, next_kind = max(alone, length - done - comes), 0, ""
            shot = self._shot(comes + alone + goes)
            if comes:
                old = old if parts else torch.zeros_like(shot[:comes])
                parts.append(mixed(kind or "dissolve", old, shot[:comes], self.draw))
            if parts:
                spans.append((done, done + comes))
            parts.append(shot[comes : comes + alone])
            kind, old, done = next_kind, shot[comes + alone :], done + comes + alone
            self._change(is_gradual=bool(next_kind))
        return torch.cat(parts), spans

    def _shot(self, frames: int) -> Tensor:
        style = self.style
        return render_shot(
            self.pictures, self.view, self.grade, self.draw, frames, style.shape, style.events, style.jerky
        )

    def _gradual_length(self) -> int:
        shortest, longest = math.log(SHORTEST_GRADUAL), math.log(LONGEST_GRADUAL)
        return math.ceil(self.part * math.exp(self.draw.uniform(shortest, longest)))

    def _length_alone(self) -> int:
        if self.draw.random() < 0.1:
            return self.style.shortest + int(self.draw.integers(6))
        length = round(self.usual * math.exp(self.draw.normal(0.0, 0.7)))
        return min(max(length, self.style.shortest + 2), self.style.longest)

    def _change(self, is_gradual: bool) -> None:
        """Choose what is seen next; gradual transitions seldom lead to the same scene, and a still has but one side."""
        before = self.view
        self.view = View.drawn(self.draw)
        if len(self.pictures) > 1 and self.draw.random() < self.stays * (0.1 if is_gradual else 1.0):
            while not self.view.is_other_than(before):
                self.view = View.drawn(self.draw)
        else:
            self.pictures = self._other_pictures()
            self.grade = Grade.drawn(self.draw, self.shot_strength).after(self.film_grade)

    def _other_pictures(self) -> Tensor:
        """Another take of the same source, a take of another, one picture of it that stands still, or a drawing."""
        if not self.materials or self.draw.random() < self.style.drawn:
            drawn = drawn_picture(self.draw, (self.style.shape[0] * 3 // 2, self.style.shape[1] * 3 // 2))
            return (drawn[None] * 255.0).to(torch.uint8)
        names = list(self.sources)
        places = self.sources[names[int(self.draw.integers(len(names)))]]
        pictures = self.materials[places[int(self.draw.integers(len(places)))]].pictures
        if self.draw.random() < 0.1:
            place = int(self.draw.integers(len(pictures)))
            return pictures[place : place + 1]
        return pictures
