"""Answers in a person's terms."""

import math
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a transcript, and when it was said."""

    text: str
    start_sec: float
    end_sec: float
    score: float
    """How sure, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameScores:
    """What is said of each frame of a stretch of film.

    Shape:
        scores: (T, kinds), in [0, 1]; times_sec: (T,), presentation times, once the stretch is placed.
    """

    scores: np.ndarray
    times_sec: np.ndarray = field(default_factory=lambda: np.empty(0))
    end_sec: float = math.nan
    """Until when its last frame is on show."""

    def part(self, first: int, end: int) -> "FrameScores":
        """Some of the frames."""
        return replace(self, scores=self.scores[first:end], times_sec=self.times_sec[first:end])


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where one shot of a film ends and the next begins. All times are presentation times of frames."""

    time_sec: float
    """Of the first frame of the new shot; of a gradual transition, of the frame in its middle."""
    kind: str
    """``cut`` or ``gradual``."""
    score: float
    """How sure, in [0, 1]."""
    start_sec: float
    """Of the first frame that is not the old shot alone."""
    end_sec: float
    """Of the first frame that is the new shot alone; of a cut, the same."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of film between two boundaries."""

    start_sec: float
    """Presentation time of its first frame."""
    end_sec: float
    """Where the next shot begins, or the film ends."""
    num_frames: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """An answer in a person's terms."""

    label: str | None = None
    score: float | None = None
    """How sure, in [0, 1]."""
    scores: dict[str, float] = field(default_factory=dict)
    """By label; those of the labels that a bundle has learned sum to 1."""
    text: str | None = None
    words: tuple[Word, ...] = ()
    """Of the text."""
    units: tuple[Word, ...] = ()
    """What words are made of, before they are: letters, say. Times are in steps of the network's answer until
    :meth:`placed` makes seconds of them."""
    embedding: tuple[float, ...] = ()
    """A vector near to those of the same voice, of length 1 where the answer is finished."""
    border_sec: float = 0.0
    """From where on the units of a window count that lies behind another: the middle of their overlap."""
    frames: tuple[FrameScores, ...] = ()
    """Of a film whose every frame is judged, until its answer is finished."""
    boundaries: tuple[Boundary, ...] = ()
    shots: tuple[Shot, ...] = ()
    """Of a film, from its first frame to its end; at least one where boundaries are looked for."""

    def placed(
        self,
        start_sec: float,
        step_sec: float,
        overlap_sec: float,
        quiet_sec: float = 0.0,
        end_sec: float = math.inf,
        frame_times_sec: np.ndarray | None = None,
    ) -> "Decoded":
        """The answer of a window, its units and frames at their seconds in the file.

        Args:
            start_sec: where the window begins.
            step_sec: from one step of the network's answer to the next.
            overlap_sec: of two windows.
            quiet_sec: of silence that the network heard in front of the window.
            end_sec: where the window ends.
            frame_times_sec: of the window's frames, where each is judged.
        """

        def seconds(steps: float) -> float:
            return min(max(start_sec - quiet_sec + steps * step_sec, start_sec), end_sec)

        units = tuple(
            Word(each.text, seconds(each.start_sec), seconds(each.end_sec), each.score) for each in self.units
        )
        frames = self.frames
        if frame_times_sec is not None:
            frames = tuple(replace(each, times_sec=frame_times_sec, end_sec=end_sec) for each in frames)
        return replace(self, units=units, border_sec=start_sec + overlap_sec / 2.0, frames=frames)
