"""Items of a batch mixed with one another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from avpipe.features import TIME_AXIS, Features


@dataclass(frozen=True, slots=True)
class Mixture:
    """A batch each of whose items may hold a part of another.

    Shape:
        features: (B, ...) a sense; lengths: (B,) a sense.
        partner: (B,), int64, the place in the batch of the other item.
        weight: (B,), float32 in [0, 1], the other item's share.
    """

    features: Features
    lengths: dict[str, Tensor]
    partner: Tensor
    weight: Tensor


class MixUp:
    """Each item becomes the weighted sum of itself and of another; as long as the longer one.

    What stands behind a shorter item is the zeros of :func:`avpipe.features.collate`, and so it is for a sense that an
    item lacks.

    Args:
        alpha: both parameters of the Beta distribution of weights: towards 0 items stay nearly whole, 1 is even.
        probability: part of the batches that are mixed.

    Reference:
        H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2017, arXiv:1710.09412. Here each item has a
        weight of its own, where their code draws one for the batch; sound is mixed as log-mel.
    """

    def __init__(self, alpha: float, probability: float = 1.0) -> None:
        self.alpha = alpha
        self.probability = probability

    def __call__(self, features: Features, lengths: dict[str, Tensor], generator: np.random.Generator) -> Mixture:
        partner, weight, _ = _drawn(features, self.alpha, generator)
        mixed: Features = {}
        for sense, value in features.items():
            share = _spread(weight, value)
            mixed[sense] = (1.0 - share) * value + share * value[partner]
        longer = {sense: torch.maximum(length, length[partner]) for sense, length in lengths.items()}
        return Mixture(mixed, longer, partner, weight)


class CutMix:
    """A stretch of each item, in time, becomes that of another, from the same time.

    The stretch lies where both items have something; the item keeps its length. The other item's share is that of the
    frames that came from it, of several senses the mean. Sound and picture are cut at the same part of what they share.

    Args:
        alpha: both parameters of the Beta distribution of the stretch's part; 1 is even.
        probability: part of the batches that are mixed.

    Reference:
        S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019,
        arXiv:1905.04899. Their boxes lie in the picture; here the cut goes through time, for sound and film alike.
    """

    def __init__(self, alpha: float, probability: float = 1.0) -> None:
        self.alpha = alpha
        self.probability = probability

    def __call__(self, features: Features, lengths: dict[str, Tensor], generator: np.random.Generator) -> Mixture:
        partner, part, place = _drawn(features, self.alpha, generator)
        mixed: Features = {}
        pasted, present = torch.zeros_like(part), torch.zeros_like(part)
        for sense, value in features.items():
            length = lengths[sense].to(value.device)
            common = torch.minimum(length, length[partner])
            width = (part * common).round().long()
            start = (place * (common - width + 1)).long()
            steps = torch.arange(value.shape[TIME_AXIS[sense] + 1], device=value.device)
            within = (steps >= start[:, None]) & (steps < (start + width)[:, None])
            mixed[sense] = torch.where(_along_time(within, sense, value), value[partner], value)
            pasted += width / length.clamp(min=1)
            present += length > 0
        return Mixture(mixed, dict(lengths), partner, pasted / present.clamp(min=1))


def _drawn(
    features: Mapping[str, Tensor], alpha: float, generator: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Partners (B,) int64, shares (B,) and places (B,) float32 in [0, 1), on the features' device."""
    value = next(iter(features.values()))
    count = len(value)
    drawn = generator.permutation(count), generator.beta(alpha, alpha, count), generator.random(count)
    partner, share, place = (torch.from_numpy(each).to(value.device) for each in drawn)
    return partner, share.float(), place.float()


def _spread(weight: Tensor, value: Tensor) -> Tensor:
    """(B,) to (B, 1, ...), in the value's type."""
    return weight.to(value.dtype).reshape(-1, *[1] * (value.dim() - 1))


def _along_time(within: Tensor, sense: str, value: Tensor) -> Tensor:
    """(B, steps) to the shape (B, 1, ..., steps, ..., 1) of the sense."""
    shape = [1] * value.dim()
    shape[0], shape[TIME_AXIS[sense] + 1] = within.shape
    return within.reshape(shape)
