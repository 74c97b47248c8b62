"""Noise at a drawn distance below the sound."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from avpipe.augment.draw import child_generator
from avpipe.augment.folder import RecordingFolder
from avpipe.augment.fourier import energy
from avpipe.augment.synthetic_noise import coloured_noise
from avpipe.media import Clip

SILENCE_POWER = 1e-12
"""Mean square (-120 dB of full scale) below which there is nothing whose level could be compared."""


class Noise:
    """A stretch of a recorded noise from a folder, mixed in at a drawn ratio.

    The ratio is that of the mean powers of the whole clip and of the stretch. All channels get the same noise; one
    that is shorter than the clip is repeated. A silent clip, a silent stretch and an unreadable noise change nothing.

    Args:
        root: the folder of noises; None: ``noise`` under ``$AVPIPE_CORPORA``.
        low_db: least ratio of sound to noise.
        high_db: greatest ratio of sound to noise.
        probability: part of the clips that are changed.

    Raises:
        ArgumentError: there is no such folder, or no media file in it.

    Reference:
        D. Snyder, G. Chen, D. Povey, "MUSAN: A Music, Speech, and Noise Corpus", 2015, arXiv:1510.08484 (a folder that
        suits; ratios of 0 to 20 dB in the recipes that followed).
    """

    def __init__(self, root: str | Path | None, low_db: float, high_db: float, probability: float) -> None:
        self.folder = RecordingFolder(root, "noise", "recorded noises")
        self.low_db = low_db
        self.high_db = high_db
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, ratio_db = generator.random() < self.probability, generator.uniform(self.low_db, self.high_db)
        place, start = int(generator.integers(len(self.folder))), generator.random()
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        noise = self.folder.waveform(place, clip.sample_rate)
        if noise is None:
            return clip
        return replace(clip, waveform=mixed(clip.waveform, stretch(noise, clip.waveform.shape[1], start), ratio_db))


class ColouredNoise:
    """Generated noise of a drawn colour, mixed in at a drawn ratio: for those who have no recorded noises.

    The power falls with frequency f as f ** -exponent above 50 Hz, and is even below: exponent 0 is white noise, 1 is
    pink, 2 is brown. The ratio is that of the mean powers of the whole clip and of the noise.

    Args:
        low_db: least ratio of sound to noise.
        high_db: greatest ratio of sound to noise.
        probability: part of the clips that are changed.
        low_exponent: least exponent.
        high_exponent: greatest exponent.
    """

    def __init__(
        self, low_db: float, high_db: float, probability: float, low_exponent: float = 0.0, high_exponent: float = 2.0
    ) -> None:
        self.low_db = low_db
        self.high_db = high_db
        self.probability = probability
        self.low_exponent = low_exponent
        self.high_exponent = high_exponent

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, ratio_db = generator.random() < self.probability, generator.uniform(self.low_db, self.high_db)
        exponent, child = generator.uniform(self.low_exponent, self.high_exponent), child_generator(generator)
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        noise = coloured_noise(clip.waveform.shape[1], clip.sample_rate, exponent, child)
        return replace(clip, waveform=mixed(clip.waveform, noise, ratio_db))


def mixed(waveform: np.ndarray, noise: np.ndarray, ratio_db: float) -> np.ndarray:
    """The waveform with the noise ``ratio_db`` below it; without, where either is silent.

    Shape:
        waveform: (channels, samples), float32; noise: (samples,), float32.
    """
    sound_power, noise_power = (energy(each) / each.size for each in (waveform, noise))
    if sound_power < SILENCE_POWER or noise_power < SILENCE_POWER:
        return waveform
    gain = np.sqrt(sound_power / noise_power) * 10.0 ** (-ratio_db / 20.0)
    return waveform + noise * np.float32(gain)


def stretch(noise: np.ndarray, samples: int, start: float) -> np.ndarray:
    """``samples`` of the noise from a place in [0, 1), over again from its beginning where it ends."""
    if len(noise) >= samples:
        first = int(start * (len(noise) - samples + 1))
        return noise[first : first + samples]
    return np.resize(np.roll(noise, -int(start * len(noise))), samples)
