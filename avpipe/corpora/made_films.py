"""Films that code cuts together, whose transitions are therefore known."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from avpipe.corpora.chance import uniform
from avpipe.corpora.corpus import Corpus
from avpipe.corpora.editing import MadeFilm, Material, Style, make_film
from avpipe.corpora.example import Example
from avpipe.corpora.fights import Fights
from avpipe.corpora.transitions import Transition, read_transitions, told, write_transitions
from avpipe.corpora.written import write_folder
from avpipe.errors import ArgumentError
from avpipe.files import cache_folder, sha256_of
from avpipe.media import read_clip, write_video

VERSION = 5
"""Of the recipe: another one writes other films, under another name."""

LENGTH = 240
"""Frames of a film."""

USUAL = (12.0, 60.0)
"""Frames of a shot, about, as :class:`avpipe.corpora.editing.Style` has them."""

EVENTS = 0.15
"""As of the same: fewer than in training, where they are drawn as often as can be, to be learned."""

_HELD_PX = 168
"""Shorter side of the material: that of the recordings."""

_SHAPES = ((144, 256), (180, 320), (240, 320))
_RATES = (Fraction(24), Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(50), Fraction(60))
_SUFFIXES = (".mp4", ".mp4", ".mkv", ".avi")
_SIDES = ("val", "test")

_JUMPS = frozenset(("fi042.mp4", "fi055.mp4"))
"""Recordings in which a stretch is left out, as if they had been cut: seen at 64x48, one change from frame to frame is
more than 2.5 times the second greatest within six frames to either side, a level of 0.01 added."""


Choice = TypeVar("Choice")


@dataclass(frozen=True, slots=True)
class Reel:
    """A film to be written; all that is drawn of it hangs on its side and its number."""

    side: str
    number: int

    @property
    def name(self) -> str:
        """In the folder of all films."""
        return f"{self.side}/film_{self.number:03d}{self._drawn(_SUFFIXES, 'suffix')}"

    @property
    def shape(self) -> tuple[int, int]:
        return self._drawn(_SHAPES, "shape")

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return self._drawn(_RATES[:3] if self.name.endswith(".avi") else _RATES, "rate")

    @property
    def gradual(self) -> float:
        """Part of its transitions."""
        return self._drawn((0.15, 0.4, 0.6), "gradual")

    @property
    def drawn(self) -> float:
        """Part of its shots that are drawings."""
        return self._drawn((0.1, 0.3, 0.3, 0.3, 1.0), "drawn")

    @property
    def times_sec(self) -> list[float] | None:
        """Of its frames, where their rate varies: in one film of six that can hold it."""
        if self.name.endswith(".avi") or uniform("made_films", self.side, self.number, "varies") >= 1 / 6:
            return None
        steps = [(0.016, 0.033, 0.04, 0.042, 0.1)[int(5 * self._place("step", frame))] for frame in range(LENGTH)]
        return [round(float(sum(steps[:frame])), 3) for frame in range(LENGTH)]

    @property
    def options(self) -> dict[str, str]:
        """Of its encoder."""
        if self.name.endswith(".avi"):
            return {"qscale": "4", "b": self._drawn(("600k", "1500k"), "quality"), "threads": "1"}
        quality = self._drawn(("20", "24", "28", "33"), "quality")
        return {"crf": quality, "preset": "veryfast", "threads": "1"}

    def _drawn(self, choices: Sequence[Choice], what: str) -> Choice:
        return choices[int(len(choices) * self._place(what))]

    def _place(self, *what: object) -> float:
        return uniform("made_films", self.side, self.number, *what)


class MadeFilms(Corpus):
    """Films of cuts, dissolves, fades, wipes and pushes between recorded and drawn shots, and of much that is none.

    A training example is a recording of :class:`Fights`; films are cut together from all of these as they are drawn
    (:class:`avpipe.augment.EditedFilm`). Validation and test are fixed films, written once into the cache, with
    ``<film>.csv`` beside each, which tells its transitions by the presentation times of its frames; sizes, rates,
    codecs and their quality differ, and in some the rate varies. What is cut together hangs on the names of the
    recordings alone, and the folder's name on the recipe and their content. Recordings stand on the sides where
    :class:`Fights` has them, so that films of two sides share no source.

    The target is the list of transitions in one line, as :func:`avpipe.corpora.told` writes it.

    Args:
        root: the folder of Fights; None: ``$AVPIPE_CORPORA/fights``.
        num_val: films that validate.
        num_test: films that test.
        seed: of what is drawn.
    """

    name = "made_films"
    licence = Fights.licence
    has_classes = False
    fixed_split = True

    def __init__(self, root: str | Path | None = None, num_val: int = 16, num_test: int = 48, seed: int = 0) -> None:
        for side, number in zip(_SIDES, (num_val, num_test), strict=True):
            if type(number) is not int or number < 1:
                raise ArgumentError(f"corpus.num_{side}={number}", "is no number of films", "give 1 or more")
        self._counts = dict(zip(_SIDES, (num_val, num_test), strict=True))
        self._seed = seed
        self._recordings = recordings_of(root)
        self.root = Fights(root).root
        self._cache = cache_folder() / self.name
        self.other_roots = (self._cache,)

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str]:
        return dict(self._sides)

    @cached_property
    def films(self) -> tuple[tuple[Reel, Example], ...]:
        """Every fixed film and its example; they are written if they are not there yet."""
        reels = [Reel(side, number) for side, count in self._counts.items() for number in range(count)]
        folder = self._cache / self._digest()
        names = [name for reel in reels for name in (reel.name, f"{reel.name}.csv")]
        write_folder(folder, names, lambda part: self._write(part, reels), "films")
        return tuple((reel, _example(folder / reel.name)) for reel in reels)

    @cached_property
    def _sides(self) -> dict[Example, str]:
        train = dict.fromkeys((Example(each.path, "", group=each.group) for each in self._recordings["train"]), "train")
        return train | {example: reel.side for reel, example in self.films}

    def _write(self, folder: Path, reels: Sequence[Reel]) -> None:
        for side in _SIDES:
            (folder / side).mkdir()
            materials = read_materials(self._recordings[side], _HELD_PX)
            for reel in reels:
                if reel.side == side:
                    seed = [self._seed, _SIDES.index(side), reel.number]
                    style = Style(reel.shape, reel.gradual, drawn=reel.drawn, usual=USUAL, events=EVENTS, whole=True)
                    _write_film(
                        folder / reel.name, reel, make_film(materials, style, np.random.default_rng(seed), LENGTH)
                    )

    def _digest(self) -> str:
        """What the films are made of and how, in 16 hexadecimal digits."""
        lines = [f"recipe {VERSION}, seed {self._seed}, {self._counts}, {LENGTH} frames"]
        lines += sorted(
            f"{each.path.name}\t{sha256_of(each.path)}" for side in _SIDES for each in self._recordings[side]
        )
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


def recordings_of(root: str | Path | None) -> dict[str, list[Example]]:
    """The recordings that films of each side are cut from."""
    sides: dict[str, list[Example]] = {"train": [], "val": [], "test": []}
    for example, side in Fights(root).official_split().items():
        if example.path.name not in _JUMPS:
            sides[side].append(example)
    return sides


def read_materials(recordings: Sequence[Example], size_px: int) -> list[Material]:
    """Every frame of the recordings, the shorter side scaled to ``size_px``."""
    materials = []
    for each in recordings:
        frames = read_clip(each.path, audio=False, video=True, size_px=size_px).frames
        assert frames is not None  # read_clip raises where there is none
        pictures = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        materials.append(Material(pictures, each.group or each.path.stem))
    return materials


def _write_film(path: Path, reel: Reel, film: MadeFilm) -> None:
    """The film and its list, by the times that its frames have when they are read."""
    frames = (film.frames * 255.0).round_().to(torch.uint8).permute(0, 2, 3, 1)
    codec = None if path.suffix == ".avi" else "libx264"
    write_video(
        path, map(np.asarray, frames), fps=reel.rate, times_sec=reel.times_sec, codec=codec, options=reel.options
    )
    times = read_clip(path, audio=False, video=True, size_px=(2, 2)).frame_times_sec
    assert times is not None
    assert len(times) == LENGTH
    transitions = [Transition(float(times[first]), float(times[end])) for first, end in film.between_shots()]
    write_transitions(path.with_name(f"{path.name}.csv"), transitions)


def _example(path: Path) -> Example:
    annotation = path.with_name(f"{path.name}.csv")
    return Example(path, told(read_transitions(annotation)), group=path.stem, annotation=annotation)
