"""The level of a sound and its place in time."""

from dataclasses import replace

import numpy as np

from avpipe.media import Clip


class Gain:
    """Another level, drawn evenly in decibels.

    Args:
        low_db: least gain.
        high_db: greatest gain; samples beyond [-1, 1] are kept, as features do not clip.
    """

    def __init__(self, low_db: float, high_db: float) -> None:
        self.low_db = low_db
        self.high_db = high_db

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        gain_db = generator.uniform(self.low_db, self.high_db)
        if clip.waveform is None:
            return clip
        return replace(clip, waveform=clip.waveform * np.float32(10.0 ** (gain_db / 20.0)))


class RandomPlacement:
    """A recording shorter than a window stands at a random place in it, over noise that is barely there.

    Without this a network learns that sound begins with the window, and that nothing is ever heard around it.

    Args:
        window_sec: length of the window.
        low_db: least level of the noise, in decibels of full scale.
        high_db: greatest level of the noise.
    """

    def __init__(self, window_sec: float, low_db: float, high_db: float) -> None:
        self.window_sec = window_sec
        self.low_db = low_db
        self.high_db = high_db

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        place, level_db = generator.random(), generator.uniform(self.low_db, self.high_db)
        if clip.waveform is None or clip.sample_rate is None:
            return clip
        channels, samples = clip.waveform.shape
        room = max(round(self.window_sec * clip.sample_rate) - samples, 0)
        before, behind = (part := round(place * room)), round(generator.random() * (room - part))
        waveform = np.pad(clip.waveform, ((0, 0), (before, behind)))
        noise = generator.standard_normal((channels, waveform.shape[1]), dtype=np.float32)
        return replace(clip, waveform=waveform + noise * np.float32(10.0 ** (level_db / 20.0)))


class TimeShift:
    """The sound moved to and fro in its window; silence moves in, and what leaves the window is lost.

    The picture stays: a film's sound is then early or late.

    Args:
        shift_sec: greatest shift, to either side; never more than half of the clip.
    """

    def __init__(self, shift_sec: float) -> None:
        self.shift_sec = shift_sec

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        shift = generator.uniform(-1.0, 1.0)
        if clip.waveform is None or clip.sample_rate is None:
            return clip
        samples = clip.waveform.shape[1]
        places = round(shift * min(self.shift_sec * clip.sample_rate, samples / 2))
        waveform = np.zeros_like(clip.waveform)
        waveform[:, max(places, 0) : samples + min(places, 0)] = clip.waveform[
            :, max(-places, 0) : samples - max(places, 0)
        ]
        return replace(clip, waveform=waveform)
