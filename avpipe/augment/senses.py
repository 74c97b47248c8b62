"""Senses taken away in training, so that an answer does not hang on one."""

import numpy as np

from avpipe.features import Features


class SenseDropout:
    """An item loses one of its senses, which one by given probabilities; the only one that it has is never lost.

    Args:
        audio: part of the items that lose their sound.
        video: part of the items that lose their pictures.

    Reference:
        N. Neverova et al., "ModDrop: Adaptive Multi-modal Gesture Recognition", 2015, arXiv:1501.00102. There senses
        are dropped independently of one another, and may all be.
    """

    def __init__(self, audio: float, video: float) -> None:
        if audio < 0.0 or video < 0.0 or audio + video > 1.0:
            raise ValueError(f"audio={audio} and video={video} must be at or above 0, and at most 1 together")
        self.audio = audio
        self.video = video

    def __call__(self, features: Features, generator: np.random.Generator) -> Features:
        draw = generator.random()
        lost = "audio" if draw < self.audio else "video" if draw < self.audio + self.video else ""
        left = {sense: value for sense, value in features.items() if sense != lost}
        return left or features
