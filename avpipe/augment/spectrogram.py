"""Spectrograms with parts hidden, and voices of other throats."""

import math

import numpy as np
import torch

from avpipe.augment.draw import check_range
from avpipe.features import Features


class SpecAugment:
    """Random bands and stretches of a log-mel spectrogram set to its own mean.

    Args:
        num_bands: number of frequency masks.
        band_mels: greatest width of a frequency mask, in mel bands.
        num_stretches: number of time masks.
        stretch_fraction: greatest length of a time mask, as a part of the item's own length.

    Reference:
        D. S. Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition", 2019,
        arXiv:1904.08779. Here without time warping, and a time mask's length is relative to the item (as in their
        adaptive variant, arXiv:1912.05533).
    """

    def __init__(self, num_bands: int, band_mels: int, num_stretches: int, stretch_fraction: float) -> None:
        self.num_bands = num_bands
        self.band_mels = band_mels
        self.num_stretches = num_stretches
        self.stretch_fraction = stretch_fraction

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        if "audio" not in features:
            return features
        mel = features["audio"].clone()
        # Band by band first: the sum of everything at once differs in its last bits by the number of threads.
        mean = mel.mean(2).mean()
        for _ in range(self.num_bands):
            start, end = _random_span(mel.shape[1], self.band_mels, generator)
            mel[:, start:end] = mean
        for _ in range(self.num_stretches):
            start, end = _random_span(mel.shape[2], int(self.stretch_fraction * mel.shape[2]), generator)
            mel[:, :, start:end] = mean
        return {**features, "audio": mel}


def _random_span(length: int, longest: int, generator: np.random.Generator) -> tuple[int, int]:
    width = int(generator.integers(0, min(longest, length) + 1))
    start = int(generator.integers(0, length - width + 1))
    return start, start + width


class Equaliser:
    """A spectrogram as through another microphone: a smooth curve over frequency is added, and a level.

    With few speakers, each in a room and at a microphone of his own, these are what a network learns by heart.

    Args:
        deviation_db: standard deviation of the curve at each of its knots.
        level_db: standard deviation of the level.
        knots: number of points, evenly spaced over the mel bands, between which the curve is straight.
        std: by which the preprocessor divides the logarithm.
    """

    def __init__(self, deviation_db: float, level_db: float, knots: int, std: float) -> None:
        if knots < 2:
            raise ValueError(f"knots={knots}: a curve has two or more")
        # Mel bands are natural logarithms of power.
        self.deviation = deviation_db * math.log(10.0) / 10.0 / std
        self.level = level_db * math.log(10.0) / 10.0 / std
        self.knots = knots

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        heights = self.deviation * generator.standard_normal(self.knots) + self.level * generator.standard_normal()
        if "audio" not in features:
            return features
        mel = features["audio"]
        places = np.linspace(0.0, self.knots - 1.0, mel.shape[1])
        curve = np.interp(places, np.arange(self.knots), heights)
        return {**features, "audio": mel + torch.from_numpy(curve).to(mel)[:, None]}


class Tempo:
    """A spectrogram spread or squeezed in time: faster and slower speech, the pitch stays.

    Args:
        low: least factor of the speed; 0.9 makes 100 frames 111.
        high: greatest factor.
        probability: part of the items that are changed.

    Reference:
        T. Ko et al., "Audio Augmentation for Speech Recognition", Interspeech 2015 (tempo perturbation). They change
        the waveform; here the finished frames are read, by linear interpolation, at the times from which they come.
    """

    def __init__(self, low: float, high: float, probability: float = 1.0) -> None:
        check_range(low=low, high=high)
        self.low = low
        self.high = high
        self.probability = probability

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        change, factor = generator.random() < self.probability, generator.uniform(self.low, self.high)
        if "audio" not in features or not change or features["audio"].shape[2] < 2:
            return features
        mel = features["audio"]
        last = mel.shape[2] - 1
        places = np.linspace(0.0, last, max(2, round(mel.shape[2] / factor)))
        before = np.minimum(places.astype(int), last - 1)
        early, late = (mel[:, :, torch.from_numpy(each).to(mel.device)] for each in (before, before + 1))
        share = torch.from_numpy(places - before).to(mel)
        return {**features, "audio": early * (1.0 - share) + late * share}


class VocalTractWarp:
    """Frequencies moved by one factor, as by a shorter or a longer throat: formants and pitch move, the tempo stays.

    Args:
        sample_rate: of the waveform that the features were made of, in Hz; as in the preprocessor.
        low: least factor; 0.9 moves 1000 Hz to 900 Hz.
        high: greatest factor.
        probability: part of the items that are changed.
        boundary: frequencies below this part of half the sample rate move by the factor; those above are squeezed or
            spread, so that half the sample rate stays where it is.
        f_min: lower edge of the lowest mel band, in Hz; as in the preprocessor.
        f_max: upper edge of the highest mel band, in Hz; None: half the sample rate; as in the preprocessor.

    Reference:
        N. Jaitly, G. E. Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", ICML Workshop on
        Deep Learning for Audio, Speech and Language Processing, 2013 (factors 0.9 to 1.1, boundary 4800 Hz of 8000).
        They warp the filter bank; here the finished log-mel bands are read, by linear interpolation, at the place from
        which they come, which needs no second spectrum and commutes with any scaling of the features.
    """

    def __init__(
        self,
        sample_rate: int,
        low: float,
        high: float,
        probability: float = 1.0,
        boundary: float = 0.6,
        f_min: float = 0.0,
        f_max: float | None = None,
    ) -> None:
        check_range(low=low, high=high)
        if not 0.0 < boundary < 1.0:
            raise ValueError(f"boundary={boundary} must lie between 0 and 1")
        self.half_rate_hz = sample_rate / 2
        self.low = low
        self.high = high
        self.probability = probability
        self.boundary = boundary
        self.f_min = f_min
        self.f_max = self.half_rate_hz if f_max is None else f_max

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        change, factor = generator.random() < self.probability, generator.uniform(self.low, self.high)
        if "audio" not in features or not change:
            return features
        mel = features["audio"]
        places = self._source_bands(mel.shape[1], factor)
        below = np.clip(places.astype(int), 0, mel.shape[1] - 2)
        low, high = (mel[:, torch.from_numpy(each).to(mel.device)] for each in (below, below + 1))
        share = torch.from_numpy(places - below).to(mel)[:, None]
        # Weighed one by one and not as a matrix product: equal bits on any number of threads.
        return {**features, "audio": low * (1.0 - share) + high * share}

    def _source_bands(self, n_mels: int, factor: float) -> np.ndarray:
        """(n_mels,): the place in [0, n_mels - 1] from which each new band comes."""
        low_mel, high_mel = hertz_to_mel(np.array([self.f_min, self.f_max]))
        step = (high_mel - low_mel) / (n_mels + 1)
        centres_hz = mel_to_hertz(low_mel + step * np.arange(1, n_mels + 1))
        sources = (hertz_to_mel(self._source_hz(centres_hz, factor)) - low_mel) / step - 1.0
        return np.clip(sources, 0.0, n_mels - 1.0)

    def _source_hz(self, frequencies_hz: np.ndarray, factor: float) -> np.ndarray:
        """Where that which stands at a frequency after the warp stood before."""
        knee_hz = self.boundary * self.half_rate_hz * min(factor, 1.0)  # after the warp; before it at knee / factor
        before_hz, after_hz = [0.0, knee_hz / factor, self.half_rate_hz], [0.0, knee_hz, self.half_rate_hz]
        return np.interp(frequencies_hz, after_hz, before_hz)


def hertz_to_mel(frequencies_hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale, as of :class:`avpipe.features.LogMel`: linear to 1000 Hz, then logarithmic."""
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(frequencies_hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(frequencies_hz < 1000.0, frequencies_hz * 3.0 / 200.0, logarithmic)


def mel_to_hertz(mels: np.ndarray) -> np.ndarray:
    """Inverse of :func:`hertz_to_mel`."""
    logarithmic = 1000.0 * np.exp((np.maximum(mels, 15.0) - 15.0) * np.log(6.4) / 27.0)
    return np.where(mels < 15.0, mels * 200.0 / 3.0, logarithmic)
