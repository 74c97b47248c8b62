"""Where somebody speaks, by a recording's own levels."""

from collections.abc import Iterator

import numpy as np

from avpipe.media import Clip

LEVEL_SEC = 0.05
"""From one level to the next."""

SILENT_DB = -75.0
"""Of full scale: what is below is nothing in any recording, but dither."""
QUIET_SHARE = 0.35
"""Of the way from the recording's quiet level to its loud one, in dB, below which nobody speaks."""
RANGE_DB = 40.0
"""What lies this far below the loud level is no speech, however quiet the pauses are."""
STEADY_DB = 6.0
"""Loud and quiet levels that differ by less are both of one steady sound, which hardly ever pauses ..."""
DROP_DB = 25.0
"""... and a pause in it lies this far below."""

BRIDGED_SEC = 0.3
"""A shorter pause is one within a sentence."""
SHORTEST_SEC = 0.2
"""What is shorter is a click."""

Stretch = tuple[float, float]
"""(start, end) in seconds."""


class LevelTrack:
    """Takes the windows of one recording in their order, and tells where somebody speaks by the levels of all."""

    def __init__(self) -> None:
        self._windows: list[tuple[int, np.ndarray]] = []

    def add(self, clip: Clip) -> None:
        """Hear the next window."""
        self._windows.append((round(clip.start_sec / LEVEL_SEC), levels_db(clip)))

    def stretches(self) -> tuple[Stretch, ...]:
        """Where somebody speaks, one stretch after the other."""
        if not self._windows:
            return ()
        first = self._windows[0][0]
        track = np.full(max(place - first + len(levels) for place, levels in self._windows), -np.inf, np.float32)
        for place, levels in self._windows:
            track[place - first : place - first + len(levels)] = levels
        return tuple(((first + start) * LEVEL_SEC, (first + end) * LEVEL_SEC) for start, end in runs(speech(track)))


def levels_db(clip: Clip) -> np.ndarray:
    """Levels of a clip's sound, one every ``LEVEL_SEC``; none without sound.

    Shape:
        returns (levels,), float32, in decibels of full scale.
    """
    if clip.waveform is None or not clip.sample_rate:
        return np.zeros(0, np.float32)
    starts = np.arange(0, clip.waveform.shape[1], max(1, round(LEVEL_SEC * clip.sample_rate)))
    sums = np.add.reduceat(np.square(clip.waveform).mean(0), starts)
    power = sums / np.diff(starts, append=clip.waveform.shape[1])
    decibels: np.ndarray = 10.0 * np.log10(np.maximum(power, 1e-12))
    return decibels.astype(np.float32)


def is_silent(levels: np.ndarray) -> bool:
    """Whether there is nothing to be heard at all.

    Shape:
        levels: (N,), in decibels of full scale.
    """
    return not bool((levels >= SILENT_DB).any())


def speech(levels: np.ndarray) -> np.ndarray:
    """Which levels are of speech: those well above the recording's own quiet ones.

    Quiet and loud are the 10th and the 95th percentile of what is not silent at all. It is a rule of energy: it takes
    music and noise for speech where they are as loud, and a voice far from the microphone for a pause.

    Shape:
        levels: (N,), in decibels of full scale; returns (N,), bool.
    """
    heard = levels[levels >= SILENT_DB]
    if not len(heard):
        return np.zeros(len(levels), bool)
    quiet, loud = np.percentile(heard, (10, 95))
    threshold = max(quiet + QUIET_SHARE * (loud - quiet), loud - RANGE_DB)
    if loud - quiet < STEADY_DB:
        threshold = loud - DROP_DB
    return steadied(levels >= max(threshold, SILENT_DB), LEVEL_SEC)


def steadied(spoken: np.ndarray, step_sec: float) -> np.ndarray:
    """Speech without the pauses within a sentence, and without clicks.

    Shape:
        spoken: (N,), bool, one every ``step_sec``; returns the same.
    """
    spoken = spoken.copy()
    for start, end in list(runs(~spoken)):
        if start > 0 and end < len(spoken) and (end - start) * step_sec < BRIDGED_SEC - 1e-6:
            spoken[start:end] = True
    for start, end in list(runs(spoken)):
        if (end - start) * step_sec < SHORTEST_SEC - 1e-6 and end - start < len(spoken):
            spoken[start:end] = False
    return spoken


def runs(values: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, end) of each stretch that is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
