"""What is drawn for a training item, in order: on its clip, on its features, on its batch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from avpipe.augment.mixing import Mixture
from avpipe.features import Features
from avpipe.media import Clip


class ClipTransform(Protocol):
    """Returns a changed clip, before features are made of it; the arrays that it was given stay as they were."""

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip: ...


class FeatureTransform(Protocol):
    """Returns changed features; what it was given stays as it was."""

    def __call__(self, features: Features, generator: np.random.Generator) -> Features: ...


class BatchTransform(Protocol):
    """Mixes the items of a collated batch; what it was given stays as it was."""

    probability: float
    """Part of the batches that go through it."""

    def __call__(self, features: Features, lengths: dict[str, Tensor], generator: np.random.Generator) -> Mixture: ...


class Augmentation:
    """What is drawn for each training item: first on the clip, then on its features, then on its batch.

    Args:
        clip: transforms of the decoded clip, in order.
        features: transforms of its features, in order.
        batch: transforms of the collated batch, of which a batch goes through one at most; their probabilities sum to
            1 or less, and the rest of the batches stays unmixed.
    """

    def __init__(
        self,
        clip: Sequence[ClipTransform] = (),
        features: Sequence[FeatureTransform] = (),
        batch: Sequence[BatchTransform] = (),
    ) -> None:
        if sum(transform.probability for transform in batch) > 1.0 + 1e-6:
            raise ValueError("the probabilities of the batch's transforms sum to more than 1")
        self.clip_transforms = tuple(clip)
        self.feature_transforms = tuple(features)
        self.batch_transforms = tuple(batch)

    @property
    def needs_clip(self) -> bool:
        """True where clips are changed: features that were kept from an earlier epoch cannot have it."""
        return bool(self.clip_transforms)

    def augment_clip(self, clip: Clip, generator: np.random.Generator) -> Clip:
        for transform in self.clip_transforms:
            clip = transform(clip, generator)
        return clip

    def augment_features(self, features: Features, generator: np.random.Generator) -> Features:
        for transform in self.feature_transforms:
            features = transform(features, generator)
        return features

    def augment_batch(
        self, features: Features, lengths: dict[str, Tensor], generator: np.random.Generator
    ) -> Mixture | None:
        """The mixed batch; None where this batch stays as it is."""
        if not self.batch_transforms:
            return None
        left = generator.random()
        for transform in self.batch_transforms:
            left -= transform.probability
            if left < 0.0:
                return transform(features, lengths, generator)
        return None
