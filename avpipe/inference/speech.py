"""Where somebody speaks, by a recording's own levels."""

from collections.abc import Iterator

import numpy as np

from avpipe.media import Clip

LEVEL_SEC = 0.05
"""From one level to the next."""

SILENT_DB = -75.0
"""Of full scale: what is below is nothing in any recording, but dither."""
MUTED_SEC = 1.0
"""A silence that lasts longer is no pause of a speaker, and tells nothing of how quiet pauses are."""
NEAR_SEC = 60.0
"""To either side: the recording's quiet level is that of so much around."""
BLOCK_SEC = 10.0
"""Has one quiet level."""
RISE_DB = 8.0
"""What is so far above the quiet level is speech, however loud others are ..."""
QUIET_SHARE = 0.35
"""... and also what is beyond this part of the way from the quiet level to the loud one, where that is less."""
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
    """Which levels are of speech: those well above the quiet ones around them.

    Quiet is the 10th percentile of two minutes, so that a noise that comes and stays is not heard as a voice for long,
    and loud the 95th of the recording, but for what is silent at all. How loud others are raises the threshold little:
    a soft voice beside a loud one is as far above the room. It is a rule of energy: it takes music and noise for speech
    where they change as a voice does, and a voice that hardly rises above the room for a pause.

    Shape:
        levels: (N,), in decibels of full scale; returns (N,), bool.
    """
    heard = levels >= SILENT_DB
    if not heard.any():
        return np.zeros(len(levels), bool)
    loud = float(np.percentile(levels[heard], 95))
    # A short silence, of a recording that was cut or gated, is a pause; how quiet the others are it does not tell.
    told = np.where(heard, levels, max(SILENT_DB, loud - DROP_DB - RISE_DB))
    telling = heard.copy()
    for start, end in runs(~heard):
        telling[start:end] = (end - start) * LEVEL_SEC <= MUTED_SEC + 1e-6
    if loud - np.percentile(told[telling], 10) < STEADY_DB:
        threshold = np.full(len(levels), loud - DROP_DB)
    else:
        quiet = _quiet(told, telling)
        rise = np.clip(QUIET_SHARE * (loud - quiet), QUIET_SHARE * STEADY_DB, RISE_DB)
        threshold = np.maximum(quiet + rise, loud - RANGE_DB)
    return steadied(heard & (levels >= threshold), LEVEL_SEC)


def _quiet(levels: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """
    Shape:
        levels: (N,); telling: (N,), bool, which of them count; returns (N,), the quiet level around each.
    """
    quiet = np.full(len(levels), SILENT_DB)
    block, near = round(BLOCK_SEC / LEVEL_SEC), round(NEAR_SEC / LEVEL_SEC)
    for start in range(0, len(levels), block):
        around = slice(max(0, start + block // 2 - near), start + block // 2 + near)
        if telling[around].any():
            quiet[start : start + block] = np.percentile(levels[around][telling[around]], 10)
    return quiet


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
