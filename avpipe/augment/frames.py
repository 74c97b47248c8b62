"""Pictures: where they are cut, how they are lit, when they were taken. One draw for all frames of a clip."""

import math
from dataclasses import replace

import numpy as np
import torch

from avpipe.augment.draw import check_range, log_uniform
from avpipe.features import Features
from avpipe.media import Clip

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue, as in ITU-R BT.601."""


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


class RandomResizedCrop:
    """A square of random size from a random place, scaled to one size: things come nearer and go farther.

    Args:
        crop_px: side of the square that is returned.
        low_scale: least side of the square that is cut, as a part of the picture's shorter side.
        high_scale: greatest side of it, at most 1.

    Reference:
        C. Szegedy et al., "Going Deeper with Convolutions", 2014, arXiv:1409.4842 (crops of 8 to 100 % of the area).
        Here the square keeps its shape, and its side is drawn evenly in its logarithm.
    """

    def __init__(self, crop_px: int, low_scale: float, high_scale: float = 1.0) -> None:
        if not 0.0 < low_scale <= high_scale <= 1.0:
            raise ValueError(f"low_scale={low_scale} and high_scale={high_scale} must rise within (0, 1]")
        self.crop_px = crop_px
        self.low_scale = low_scale
        self.high_scale = high_scale

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        scale, (down, across) = log_uniform(self.low_scale, self.high_scale, generator), generator.random(2)
        if clip.frames is None:
            return clip
        height, width = clip.frames.shape[1:3]
        side = max(1, round(scale * min(height, width)))
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))
        square = np.array(clip.frames[:, top : top + side, left : left + side])
        scaled = torch.nn.functional.interpolate(
            torch.from_numpy(square).permute(0, 3, 1, 2), (self.crop_px, self.crop_px), mode="bilinear", antialias=True
        )
        return replace(clip, frames=np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy()))


class HorizontalFlip:
    """Left and right changed in half of the clips, in all frames of a clip or in none."""

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        flip = generator.random() < 0.5
        if clip.frames is None or not flip:
            return clip
        return replace(clip, frames=np.ascontiguousarray(clip.frames[:, :, ::-1]))


class ColourJitter:
    """Another light: brightness, then contrast, then saturation, each by a factor drawn around 1.

    Args:
        brightness: greatest distance of the factor from 1, below 1.
        contrast: the same; against the mean grey of the whole clip, so that a film does not flicker.
        saturation: the same; against each pixel's own grey.

    Reference:
        A. G. Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013,
        arXiv:1312.5402. Here in one order, and values are rounded and cut to [0, 255] once, at the end.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float) -> None:
        self.ranges = np.array([brightness, contrast, saturation])
        if self.ranges.min() < 0.0 or self.ranges.max() >= 1.0:
            raise ValueError(f"brightness, contrast and saturation must lie in [0, 1), not {self.ranges}")

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        brightness, contrast, saturation = (1.0 + self.ranges * generator.uniform(-1.0, 1.0, 3)).astype(np.float32)
        if clip.frames is None:
            return clip
        # The three steps in a row are affine: a share of the pixel, of its grey, and of the clip's mean grey.
        values = clip.frames.astype(np.float32)
        values *= brightness * contrast
        grey = values @ _LUMA
        offset = (1.0 - contrast) / contrast * grey.mean(dtype=np.float64)
        values *= saturation
        values += (grey * (1.0 - saturation) + np.float32(offset))[..., np.newaxis]
        values += 0.5  # to the nearest, as the type's change cuts off
        return replace(clip, frames=np.clip(values, 0.0, 255.0, out=values).astype(np.uint8))


class TemporalJitter:
    """The film at another pace, frame for frame taken from another time; as many frames as before.

    Slower, a stretch of the clip is shown; faster, the first or the last frame stands for a while. The times of the
    frames go with them, as a frame shown twice has one time. The sound stays.

    Args:
        low: least factor of the pace.
        high: greatest factor of the pace.
        jitter: greatest shift of each frame besides, in frames; frames stay in order.
    """

    def __init__(self, low: float, high: float, jitter: float = 0.0) -> None:
        check_range(low=low, high=high)
        self.low = low
        self.high = high
        self.jitter = jitter

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        pace, start, seed = log_uniform(self.low, self.high, generator), generator.random(), generator.integers(2**63)
        if clip.frames is None:
            return clip
        last = len(clip.frames) - 1
        shifts = np.random.default_rng(int(seed)).uniform(-self.jitter, self.jitter, last + 1)
        times = start * last * (1.0 - pace) + pace * np.arange(last + 1) + shifts
        places = np.sort(np.clip(np.rint(times), 0, last).astype(int))
        times_sec = None if clip.frame_times_sec is None else clip.frame_times_sec[places]
        return replace(clip, frames=clip.frames[places], frame_times_sec=times_sec)


class RandomErasing:
    """A box, the same in all frames, set to 0, which is the mean of standardised pictures.

    Args:
        low_share: least share of the picture's area.
        high_share: greatest share of it.
        probability: part of the items that are changed.

    Reference:
        Z. Zhong et al., "Random Erasing Data Augmentation", 2017, arXiv:1708.04896 (their box is filled with noise).
    """

    def __init__(self, low_share: float, high_share: float, probability: float) -> None:
        self.low_share = low_share
        self.high_share = high_share
        self.probability = probability

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        change, share = generator.random() < self.probability, generator.uniform(self.low_share, self.high_share)
        shape, (down, across) = log_uniform(0.3, 1.0 / 0.3, generator), generator.random(2)
        if "video" not in features or not change:
            return features
        video = features["video"].clone()
        height, width = video.shape[2:]
        tall = min(height, max(1, round(height * math.sqrt(share * shape))))
        wide = min(width, max(1, round(width * math.sqrt(share / shape))))
        top, left = int(down * (height - tall + 1)), int(across * (width - wide + 1))
        video[:, :, top : top + tall, left : left + wide] = 0.0
        return {**features, "video": video}
