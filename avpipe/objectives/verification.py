"""Whose voice it is: recordings of one voice lie near to each other, also of voices that training never heard."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.networks import Output
from avpipe.objectives.detection import detection_rates
from avpipe.objectives.objective import Batch, Decoded, Objective

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Verification(Objective):
    """Additive angular margin over the voices of training; an answer is a vector of length 1, its cosine to another's.

    Metrics, over all pairs of answers: ``eer``, the rate at which as many pairs of two voices are taken for one as
    pairs of one voice for two; ``min_dcf``, the least cost of deciding where one pair in a hundred is of one voice.

    Args:
        voices: of training.
        dim: length of the vectors.
        margin: that is added to the angle to the true voice, in radians.
        scale: cosines are multiplied by it before they compete.

    Reference:
        J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2018, arXiv:1801.07698; for
        voices, X. Xiang et al., "Margin Matters: Towards More Discriminative Deep Neural Network Embeddings for Speaker
        Recognition", 2019, arXiv:1906.07317.
    """

    best_metric = "eer"
    best_is_least = True

    def __init__(self, voices: Sequence[str], dim: int = 128, margin: float = 0.2, scale: float = 30.0) -> None:
        super().__init__()
        if len(set(voices)) != len(voices) or len(voices) < 2:
            raise ValueError("voices must be two or more different ones")
        if not 0 <= margin < math.pi / 2 or scale <= 0:
            raise ValueError(f"margin={margin} must be from 0 and below a right angle, scale={scale} above 0")
        self.dim = dim
        self.margin = margin
        self.scale = scale
        self.prototypes = nn.Parameter(nn.init.xavier_normal_(torch.empty(len(voices), dim)))
        """A vector a voice of training."""
        self._places = {voice: place for place, voice in enumerate(voices)}

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {"voices": sorted({str(target) for target in targets})}

    @property
    def num_outputs(self) -> int:
        return self.dim

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (), int64: the voice's place; -1 for one that training does not know.
        """
        return torch.tensor(self._places.get(str(target), -1))

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the items of known voices; a voice that training does not know costs nothing."""
        known = batch.targets >= 0
        cosines = nn.functional.normalize(output.value[known]) @ nn.functional.normalize(self.prototypes).T
        angles = cosines.clamp(-1.0 + 1e-6, 1.0 - 1e-6).acos()
        true = nn.functional.one_hot(batch.targets[known], len(self.prototypes))
        # Beyond a half turn the cosine would rise again.
        widened = (angles + self.margin * true).clamp(max=math.pi)
        costs = nn.functional.cross_entropy(self.scale * widened.cos(), batch.targets[known], reduction="sum")
        return costs / known.sum().clamp_min(1)

    def decode(self, output: Output) -> list[Decoded]:
        vectors = nn.functional.normalize(output.value.detach().float().cpu())
        return [Decoded(embedding=tuple(vector.tolist())) for vector in vectors]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """The mean direction, weighted by the windows' seconds."""
        total = np.average([window.embedding for window in windows], axis=0, weights=weights)
        return Decoded(embedding=tuple((total / max(float(np.linalg.norm(total)), 1e-12)).tolist()))

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection

        from avpipe.objectives.detection_metrics import DetectionRates

        return MetricCollection({"rates": DetectionRates()}, compute_groups=False)

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        pairs = np.triu_indices(len(answers), 1)
        cosines, same = _compared(answers, targets)
        metrics.update(torch.from_numpy(cosines[pairs]), torch.from_numpy(same[pairs]))

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        cosines, same = _compared(answers, targets)

        def measured(places: Sequence[int]) -> dict[str, float]:
            one, other = np.triu_indices(len(places), 1)
            first, second = np.asarray(places)[one], np.asarray(places)[other]
            pairs = first != second  # one that was drawn twice is no trial of itself
            return detection_rates(cosines[first, second][pairs], same[first, second][pairs])

        return measured


def _compared(answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) each: the cosine of every two answers, and whether both are of one voice."""
    vectors, voices = np.array([answer.embedding for answer in answers]), np.array([str(each) for each in targets])
    return vectors @ vectors.T, voices[:, None] == voices
