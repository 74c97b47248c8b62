"""A number on a scale, such as a sentiment from -3 to 3."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.answers import Decoded, ScoreAnswers
from avpipe.networks import Output
from avpipe.objectives.objective import Batch, Objective

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Regression(ScoreAnswers, Objective):
    """The absolute error of a score; a file's score is the mean of its windows', weighted by their seconds.

    An answer's ``score`` is the number itself, and its ``label`` the nearest whole step of the scale (``-1``).

    Metrics, as papers on CMU-MOSI and CMU-MOSEI have them: ``mae``; ``correlation`` (Pearson's; none of constant
    answers); ``acc7``, whether both lie at the same whole step of the scale; ``acc2`` and ``f1``, negative or not
    (zero counts as not negative); ``acc2_nonzero`` and ``f1_nonzero``, negative or positive, of the examples whose
    label is not zero. Both F1 are weighted by the labels' counts. Of a scale on one side of zero the two-way metrics
    mean nothing.

    Args:
        low: end of the scale; no label may lie below, and no answer does.
        high: the other end.

    Reference:
        A. Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable Dynamic Fusion
        Graph", ACL 2018 (the labels, from -3 to 3); Y.-H. H. Tsai et al., 2019, arXiv:1906.00295 (the metrics; their
        Acc-2 is ``acc2_nonzero``).
    """

    best_metric = "mae"
    best_is_least = True

    def __init__(self, low: float = -3.0, high: float = 3.0) -> None:
        Objective.__init__(self)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"low={low} and high={high} must be two numbers, the lower first")
        ScoreAnswers.__init__(self, low, high)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {}

    @property
    def num_outputs(self) -> int:
        return 1

    def refusal(self, target: Any) -> str:
        try:
            score = float(target)
        except (TypeError, ValueError):
            return f"its label {str(target)!r} is no number"
        if math.isnan(score):
            return "its label is no number"
        if not self.low <= score <= self.high:
            return f"its label {score:g} lies outside the scale from {self.low:g} to {self.high:g}"
        return ""

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (), float32.
        """
        return torch.tensor(float(target))

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """The mean absolute error; the label of a mixed item lies between those of both."""
        targets = batch.targets
        if batch.partner_targets is not None and batch.partner_weight is not None:
            targets = torch.lerp(targets, batch.partner_targets, batch.partner_weight)
        return nn.functional.l1_loss(output.value[:, 0], targets)

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection

        from avpipe.objectives.score_metrics import ScoreMetrics

        return MetricCollection({"scores": ScoreMetrics()}, compute_groups=False)

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        said, true = _numbers(answers, targets)
        metrics.update(torch.from_numpy(said), torch.from_numpy(true))

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        said, true = _numbers(answers, targets)

        def measured(places: Sequence[int]) -> dict[str, float]:
            chosen = np.asarray(places)
            return score_metrics(said[chosen], true[chosen])

        return measured


def _numbers(answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    said = np.array([answer.score for answer in answers], dtype=np.float64)
    return said, np.array([float(target) for target in targets], dtype=np.float64)


def score_metrics(said: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """The metrics of :class:`Regression`; what cannot be told is no number.

    Shape:
        said: (N,); true: (N,).
    """
    spread = said.std() * true.std()
    covariance = float(((said - said.mean()) * (true - true.mean())).mean())
    apart = true != 0
    return {
        "mae": float(np.abs(said - true).mean()),
        "correlation": covariance / float(spread) if spread > 0 else math.nan,
        "acc7": float((np.rint(said) == np.rint(true)).mean()),
        "acc2": _agreement(said >= 0, true >= 0),
        "acc2_nonzero": _agreement(said[apart] > 0, true[apart] > 0),
        "f1": _weighted_f1(said >= 0, true >= 0),
        "f1_nonzero": _weighted_f1(said[apart] > 0, true[apart] > 0),
    }


def _agreement(said: np.ndarray, true: np.ndarray) -> float:
    return float((said == true).mean()) if len(true) else math.nan


def _weighted_f1(said: np.ndarray, true: np.ndarray) -> float:
    if not len(true):
        return math.nan
    total = 0.0
    for label in (False, True):
        hits = int(((said == label) & (true == label)).sum())
        named = int((said == label).sum()) + int((true == label).sum())
        total += int((true == label).sum()) * (2 * hits / named if named else 0.0)
    return total / len(true)
