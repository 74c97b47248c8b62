"""Frames of lips: shown twice or left out, and hidden."""

from dataclasses import replace

import numpy as np

from avpipe.augment.draw import child_generator
from avpipe.features import Features
from avpipe.media import Clip


class FrameJitter:
    """Some frames shown twice, and some left out: a speaker a little slower here and faster there.

    The clip becomes longer or shorter by that, in its pictures alone: not for what is heard as well.

    Args:
        probability: of each frame, to be shown twice; and as much to be left out.

    Reference:
        Y. M. Assael et al., "LipNet: End-to-End Sentence-level Lipreading", 2016, arXiv:1611.01599 (0.05 each).
    """

    def __init__(self, probability: float) -> None:
        if not 0.0 <= probability <= 0.5:
            raise ValueError(f"probability={probability} must lie from 0 to 0.5")
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        drawn = child_generator(generator)
        if clip.frames is None:
            return clip
        chance = drawn.random(len(clip.frames))
        times = np.where(chance < self.probability, 2, np.where(chance >= 1.0 - self.probability, 0, 1))
        places = np.repeat(np.arange(len(times)), times if times.any() else 1)
        times_sec = None if clip.frame_times_sec is None else clip.frame_times_sec[places]
        return replace(clip, frames=clip.frames[places], frame_times_sec=times_sec)


class FrameMask:
    """Random stretches of the pictures' features set to 0, which is the mean of standardised pictures.

    Args:
        num_stretches: number of masks.
        longest_steps: greatest length of each, in frames.

    Reference:
        P. Ma et al., "Visual Speech Recognition for Multiple Languages in the Wild", 2022, arXiv:2202.13084 (a mask of
        0.4 s at most for each second, filled with the mean frame). Here a fixed number of masks.
    """

    def __init__(self, num_stretches: int, longest_steps: int) -> None:
        self.num_stretches = num_stretches
        self.longest_steps = longest_steps

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        lengths, places = generator.random((2, self.num_stretches))
        if "video" not in features:
            return features
        video = features["video"].clone()
        steps = video.shape[1]
        for length, place in zip(lengths, places, strict=True):
            width = min(int(length * (self.longest_steps + 1)), steps)
            start = int(place * (steps - width + 1))
            video[:, start : start + width] = 0.0
        return {**features, "video": video}
