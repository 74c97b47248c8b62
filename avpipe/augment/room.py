"""The sound of rooms."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from avpipe.augment.draw import check_range, child_generator
from avpipe.augment.folder import RecordingFolder
from avpipe.augment.fourier import convolved, energy
from avpipe.media import Clip

_EARLY_COUNT = 6
_EARLY_SEC = (0.002, 0.05)
"""Earliest and latest of the reflections that stand out."""

_EARLY_STRENGTH = 6.0
"""Amplitude of a reflection that stands out, against the root mean square of the tail at its time."""


class RoomResponse:
    """A room, simulated by statistics: the direct path, some early reflections, a tail of decaying noise.

    The direct path is not delayed and the response has unit energy, so that level and time stay about as they were.
    What rings on behind the clip is cut off.

    Args:
        low_sec: least reverberation time RT60, in which the tail falls by 60 dB.
        high_sec: greatest reverberation time.
        low_db: least ratio of the direct path's energy to that of all that follows.
        high_db: greatest such ratio.
        probability: part of the clips that are changed.

    Reference:
        J.-D. Polack, "La transmission de l'energie sonore dans les salles", thesis, Universite du Maine, 1988: a room's
        response as white noise under an exponential. E. A. P. Habets, "Single- and Multi-Microphone Speech
        Dereverberation using Spectral Enhancement", thesis, TU Eindhoven, 2007: the direct path's energy apart from it.
        Here without any geometry: six reflections of drawn sign at drawn times within 2 to 50 ms stand out of the tail,
        and all frequencies decay alike, where in a real room the high ones decay faster.
    """

    def __init__(self, low_sec: float, high_sec: float, low_db: float, high_db: float, probability: float) -> None:
        check_range(low_sec=low_sec, high_sec=high_sec)
        self.low_sec = low_sec
        self.high_sec = high_sec
        self.low_db = low_db
        self.high_db = high_db
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, decay_sec = generator.random() < self.probability, generator.uniform(self.low_sec, self.high_sec)
        ratio_db, child = generator.uniform(self.low_db, self.high_db), child_generator(generator)
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        response = _simulated(decay_sec, ratio_db, clip.sample_rate, child)
        return replace(clip, waveform=convolved(clip.waveform, response))


class RecordedRoom:
    """A room whose recorded impulse response is drawn from a folder.

    What comes before the response's peak, which is taken for the direct path, is cut off, and the response gets unit
    energy. An unreadable or silent response leaves the clip as it is.

    Args:
        root: the folder of impulse responses; None: ``rooms`` under ``$AVPIPE_CORPORA``.
        probability: part of the clips that are changed.

    Raises:
        ArgumentError: there is no such folder, or no media file in it.
    """

    LONGEST_SEC = 3.0

    def __init__(self, root: str | Path | None, probability: float) -> None:
        self.folder = RecordingFolder(root, "rooms", "impulse responses of rooms", self.LONGEST_SEC)
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, place = generator.random() < self.probability, int(generator.integers(len(self.folder)))
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        response = self.folder.waveform(place, clip.sample_rate)
        if response is None or not response.any():
            return clip
        return replace(clip, waveform=convolved(clip.waveform, _unit_energy(response[np.abs(response).argmax() :])))


def _simulated(decay_sec: float, ratio_db: float, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """(taps,) float32 of unit energy, the direct path at place 0."""
    taps = max(2, round(decay_sec * sample_rate))
    # 60 dB are a factor of 1000 in amplitude.
    envelope = np.exp(np.arange(taps, dtype=np.float32) * np.float32(-math.log(1000.0) / taps))
    response = generator.standard_normal(taps, dtype=np.float32) * envelope
    response[: max(1, round(_EARLY_SEC[0] * sample_rate))] = 0.0
    places = (generator.uniform(*_EARLY_SEC, _EARLY_COUNT) * sample_rate).astype(int)
    signs = generator.choice([-1.0, 1.0], _EARLY_COUNT)
    within = (places > 0) & (places < taps)
    response[places[within]] = _EARLY_STRENGTH * signs[within] * envelope[places[within]]
    response[0] = math.sqrt(energy(response) * 10.0 ** (ratio_db / 10.0)) or 1.0
    return _unit_energy(response)


def _unit_energy(response: np.ndarray) -> np.ndarray:
    return response / np.float32(math.sqrt(energy(response)))
