"""All randomness between a recording and a batch, drawn from one generator an item: a run repeats exactly."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from avpipe.features import Features
from avpipe.media import Clip


def item_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator of one item in one epoch: the same on any worker, whatever was drawn for other items."""
    return np.random.default_rng([seed, epoch, index])


def random_start(duration_sec: float, window_sec: float, generator: np.random.Generator) -> float:
    """Start in seconds of a random window within a recording; 0 where the recording is shorter."""
    return float(generator.uniform(0.0, max(duration_sec - window_sec, 0.0)))


class ClipTransform(Protocol):
    """Returns a changed clip, before features are made of it."""

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip: ...


class FeatureTransform(Protocol):
    """Returns changed features; what it was given stays as it was."""

    def __call__(self, features: Features, generator: np.random.Generator) -> Features: ...


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


class RandomCrop:
    """A square from a random place, the same for all frames of the clip.

    Args:
        crop_px: side of the square.
    """

    def __init__(self, crop_px: int) -> None:
        self.crop_px = crop_px

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        across, down = generator.random(2)
        if clip.frames is None:
            return clip
        height, width = clip.frames.shape[1:3]
        top = int(across * (height - self.crop_px + 1))
        left = int(down * (width - self.crop_px + 1))
        frames = clip.frames[:, top : top + self.crop_px, left : left + self.crop_px]
        return replace(clip, frames=np.ascontiguousarray(frames))


class HorizontalFlip:
    """Left and right changed in half of the clips, in all frames of a clip or in none."""

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        flip = generator.random() < 0.5
        if clip.frames is None or not flip:
            return clip
        return replace(clip, frames=np.ascontiguousarray(clip.frames[:, :, ::-1]))


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
        mean = mel.mean()
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


class Augmentation:
    """What is drawn for each training item: first on the clip, then on its features.

    Args:
        clip: transforms of the decoded clip, in order.
        features: transforms of its features, in order.
    """

    def __init__(self, clip: Sequence[ClipTransform] = (), features: Sequence[FeatureTransform] = ()) -> None:
        self.clip_transforms = tuple(clip)
        self.feature_transforms = tuple(features)

    def augment_clip(self, clip: Clip, generator: np.random.Generator) -> Clip:
        for transform in self.clip_transforms:
            clip = transform(clip, generator)
        return clip

    def augment_features(self, features: Features, generator: np.random.Generator) -> Features:
        for transform in self.feature_transforms:
            features = transform(features, generator)
        return features
