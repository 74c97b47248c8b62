"""Whose voice it is: recordings of one voice lie near to each other, also of voices that training never heard."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.answers import Decoded, VoiceAnswers
from avpipe.networks import Output
from avpipe.objectives.detection import detection_rates
from avpipe.objectives.objective import Batch, Objective, counted_alone

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Verification(VoiceAnswers, Objective):
    """Additive angular margin over the voices of training; an answer is a vector of length 1, near to its voice's.

    Metrics, over all pairs of answers: ``eer``, the rate at which as many pairs of two voices are taken for one as
    pairs of one voice for two; ``min_dcf``, the least cost of deciding where one pair in a hundred is of one voice.

    Args:
        voices: of training.
        dim: length of the vectors.
        margin: that is added to the angle to the true voice, in radians.
        scale: cosines are multiplied by it before they compete.
        cohort: how many voices of training, the nearest ones, normalise a similarity; 0: it is the plain cosine.
        threshold: the similarity from which on two recordings are taken to be of one voice; None: not known. Fitted by
            :meth:`calibration`.
        spread: standard deviation of the similarities of two voices, the unit in which scores leave the threshold.
            Fitted as well.
        false_accepts: greatest part of the validation's pairs of two voices that may reach the threshold.

    Reference:
        J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", 2018, arXiv:1801.07698; for
        voices, X. Xiang et al., "Margin Matters: Towards More Discriminative Deep Neural Network Embeddings for Speaker
        Recognition", 2019, arXiv:1906.07317.
    """

    best_metric = "eer"
    best_is_least = True
    has_calibration = True
    is_comparable = False

    def __init__(
        self,
        voices: Sequence[str],
        dim: int = 128,
        margin: float = 0.2,
        scale: float = 30.0,
        cohort: int = 0,
        threshold: float | None = None,
        spread: float = 0.1,
        false_accepts: float = 0.01,
    ) -> None:
        Objective.__init__(self)
        if len(set(voices)) != len(voices) or len(voices) < 2:
            raise ValueError("voices must be two or more different ones")
        if not 0 <= margin < math.pi / 2 or scale <= 0:
            raise ValueError(f"margin={margin} must be from 0 and below a right angle, scale={scale} above 0")
        if cohort < 0 or cohort == 1:
            raise ValueError(f"cohort={cohort} must be 0, or 2 and more: a spread is measured over it")
        if not 0 <= false_accepts < 1 or not spread > 0:
            raise ValueError(f"false_accepts={false_accepts} must be from 0 and below 1, spread={spread} above 0")
        if threshold is not None and not math.isfinite(threshold):
            raise ValueError(f"threshold={threshold} is no similarity")
        VoiceAnswers.__init__(self, dim, cohort, threshold, spread)
        self.margin = margin
        self.scale = scale
        self.false_accepts = false_accepts
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

    @property
    def cohort_vectors(self) -> np.ndarray:
        """Those of the voices of training."""
        return nn.functional.normalize(self.prototypes.detach().float().cpu()).numpy()

    def calibration(
        self, windows: Sequence[tuple[Tensor, Tensor]], targets: Sequence[Any], refuse_right: float
    ) -> dict[str, Any]:
        """The threshold that at most ``false_accepts`` of the pairs of two voices reach, and their spread.

        Pairs of one voice have no say: validation voices often have one recording each, whose parts share a day, a
        room and a sentence, and so are more alike than what a voice says on another day. How many of those are refused
        is told by the metrics of a test, not by this. ``refuse_right`` is for labels, and of no effect here.
        Where there are no pairs of two voices, nothing is told.
        """
        combined = [self.combine(self.decode(Output(values)), seconds.double().tolist()) for values, seconds in windows]
        scores, same = self._compared([self.finished(each) for each in combined], targets)
        strangers = np.sort(scores[np.triu(~same, 1)])
        if not len(strangers):
            return {}
        allowed = int(self.false_accepts * len(strangers))
        # Right above the highest one that must not reach it.
        threshold = (math.floor(float(strangers[-1 - allowed]) * 1e4) + 1) / 1e4
        return {"threshold": threshold, "spread": max(round(float(strangers.std()), 4), 1e-4)}

    def uncalibrated(self) -> "Verification":
        raw = copy.copy(self)
        raw.threshold = None
        return raw

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection

        from avpipe.objectives.detection_metrics import DetectionRates

        return counted_alone(MetricCollection({"rates": DetectionRates()}, compute_groups=False))

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        scores, same = self._compared(answers, targets)
        pairs = np.triu(np.ones_like(same), 1)
        metrics.update(torch.from_numpy(scores[pairs]), torch.from_numpy(same[pairs]))

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        scores, same = self._compared(answers, targets)

        def measured(places: Sequence[int]) -> dict[str, float]:
            chosen = np.asarray(places)
            pairs = np.triu(chosen[:, None] != chosen, 1)  # one that was drawn twice is no trial of itself
            trials = np.ix_(chosen, chosen)
            return detection_rates(scores[trials][pairs], same[trials][pairs])

        return measured

    def _compared(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N, N) each: the similarity of every two answers, and whether both are of one voice."""
        vectors = np.array([answer.embedding for answer in answers], np.float32)
        voices = np.array([str(each) for each in targets])
        return self.similarities(vectors, vectors), voices[:, None] == voices
