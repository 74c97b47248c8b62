"""Films cut together as they are drawn: what is learned of the seams between shots."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from avpipe.augment.draw import child_generator
from avpipe.corpora import Example
from avpipe.corpora.editing import Material, Style, coded, make_film
from avpipe.corpora.made_films import read_materials, recordings_of
from avpipe.media import Clip

_HELD_PX = 90
"""Shorter side of the material, in pixels: some more than films have, as cameras come nearer."""

_FINER = 3
"""Rows of a film that is coded, and columns, for each of those that are seen of it, or some fewer (encoders want even
numbers): what an encoder spoils is finer than that."""


class EditedFilm:
    """Another film in place of the clip, made of all training recordings and of drawings, and labels of its frames.

    Args:
        root: as of :class:`avpipe.corpora.MadeFilms`, of which the training side alone is drawn from.
        frames: of a film.
        height_px: of its pictures.
        width_px: of its pictures.
        gradual: part of the transitions that are gradual.
        drawn: part of the shots that are drawings.
        jerky: part of the recorded shots that show few pictures a second.
        coded: part of the films that an encoder has spoilt (:func:`avpipe.corpora.editing.coded`).
    """

    def __init__(
        self,
        root: str | Path | None = None,
        frames: int = 128,
        height_px: int = 27,
        width_px: int = 48,
        gradual: float = 0.4,
        drawn: float = 0.3,
        jerky: float = 0.2,
        coded: float = 0.0,
    ) -> None:
        self.root = root
        self.frames = frames
        self.style = Style((height_px, width_px), gradual, drawn=drawn, jerky=jerky)
        self.coded = coded

    @cached_property
    def recordings(self) -> list[Example]:
        """Of the training side; looked for when the first film is drawn."""
        return recordings_of(self.root)["train"]

    @cached_property
    def materials(self) -> list[Material]:
        """All recordings, in memory: 330 MB of Fights."""
        return read_materials(self.recordings, _HELD_PX)

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        draw = child_generator(generator)
        if self.coded and draw.random() < self.coded:
            film = make_film(self.materials, replace(self.style, shape=self._finer()), draw, self.frames)
            frames = coded(film.frames, self.style.shape, draw)
        else:
            film = make_film(self.materials, self.style, draw, self.frames)
            frames = np.ascontiguousarray((film.frames * 255.0).round_().byte().permute(0, 2, 3, 1).numpy())
        times = np.arange(self.frames) / 25.0
        return replace(clip, frames=frames, frame_times_sec=times, frame_labels=film.labels())

    def _finer(self) -> tuple[int, int]:
        height, width = (side * _FINER // 2 * 2 for side in self.style.shape)
        return height, width
