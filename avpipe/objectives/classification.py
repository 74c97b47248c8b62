"""One label of several."""

import copy
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from avpipe.answers import Decoded, LabelAnswers
from avpipe.networks import Output
from avpipe.objectives.objective import Batch, Objective

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Classification(LabelAnswers, Objective):
    """Cross-entropy over labels; a file's scores are the mean of its windows' probabilities.

    Metrics: ``accuracy`` (top-1); of more than five labels ``top5``, how often the true one is among the five
    likeliest; ``uar``, the unweighted average recall over the labels that occur, which is the mean per-class accuracy
    of the literature on actions; ``f1``, the same of F1; ``ece``, the expected calibration error over 15 bins.

    Args:
        labels: in the order of the network's outputs.
        class_counts: training examples of each label.
        class_weights: ``balanced`` weighs each label by the inverse of its count, ``none`` weighs all examples alike.
        label_smoothing: part of the target that is spread evenly over all labels.
        temperature: logits are divided by it; above 1 makes answers less sure. Fitted by :meth:`calibration`.
        threshold: an answer whose score is below it is ``unknown``; 0 refuses nothing. Fitted as well. Metrics and
            scores do not know of it: they are of the likeliest label.

    Reference:
        C. Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599 (expected calibration error,
        temperature scaling; here fitted on the mean of a file's windows). D. Hendrycks, K. Gimpel, "A Baseline for
        Detecting Misclassified and Out-of-Distribution Examples in Neural Networks", 2016, arXiv:1610.02136 (refusal
        by the highest score).
    """

    best_metric = "uar"
    has_calibration = True
    class_weight: Tensor | None

    def __init__(
        self,
        labels: Sequence[str],
        class_counts: Sequence[int],
        class_weights: str = "none",
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        threshold: float = 0.0,
    ) -> None:
        Objective.__init__(self)
        if len(labels) < 2 or len(set(labels)) != len(labels) or len(class_counts) != len(labels):
            raise ValueError("labels must be two or more different ones, each with its count")
        if class_weights not in ("none", "balanced"):
            raise ValueError(f"class_weights={class_weights} is none of: none, balanced")
        if temperature <= 0 or not 0 <= threshold <= 1:
            raise ValueError(f"temperature={temperature} must be above 0, threshold={threshold} from 0 to 1")
        LabelAnswers.__init__(self, labels, threshold)
        self.label_smoothing = label_smoothing
        self.temperature = temperature
        counts = torch.tensor(class_counts, dtype=torch.float32)
        weight = counts.sum() / (len(counts) * counts) if class_weights == "balanced" else None
        self.register_buffer("class_weight", weight, persistent=False)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        counts = Counter(str(target) for target in targets)
        return {"labels": sorted(counts), "class_counts": [counts[label] for label in sorted(counts)]}

    @property
    def num_outputs(self) -> int:
        return len(self.labels)

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (), int64: the label's place.
        """
        return torch.tensor(self.labels.index(str(target)))

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the batch; of a mixed item each label's cross-entropy has the label's share."""

        def cost(targets: Tensor, reduction: str) -> Tensor:
            return nn.functional.cross_entropy(
                output.value,
                targets,
                weight=self.class_weight,
                label_smoothing=self.label_smoothing,
                reduction=reduction,
            )

        if batch.partner_targets is None or batch.partner_weight is None:
            return cost(batch.targets, "mean")
        parts = (batch.targets, 1.0 - batch.partner_weight), (batch.partner_targets, batch.partner_weight)
        total = torch.stack([(share * cost(targets, "none")).sum() for targets, share in parts]).sum()
        # The mean is over class weights, as it is for items that were not mixed.
        weight = output.value.new_ones(self.num_outputs) if self.class_weight is None else self.class_weight
        return total / torch.stack([(share * weight[targets]).sum() for targets, share in parts]).sum()

    def scores(self, value: Tensor) -> Tensor:
        """Probabilities of the labels, by the temperature."""
        return (value.double() / self.temperature).softmax(-1)

    def calibration(
        self, windows: Sequence[tuple[Tensor, Tensor]], targets: Sequence[Any], refuse_right: float
    ) -> dict[str, Any]:
        """The temperature by which the targets are likeliest, and the threshold below which most answers are wrong."""
        places = torch.tensor([self.labels.index(str(target)) for target in targets])
        files = torch.repeat_interleave(torch.arange(len(windows)), torch.tensor([len(each) for each, _ in windows]))
        logits = torch.cat([values for values, _ in windows]).double()
        weights = torch.cat([seconds / seconds.sum() for _, seconds in windows]).double()

        def probabilities(temperature: float) -> Tensor:
            rows = (logits / temperature).softmax(1) * weights[:, None]
            return torch.zeros(len(windows), self.num_outputs, dtype=torch.float64).index_add_(0, files, rows)

        def surprise(temperature: float) -> float:
            likelihood = probabilities(temperature).gather(1, places[:, None])
            return float(-likelihood.clamp_min(1e-12).log().mean())

        temperature = min(torch.logspace(-1, 1, 401).tolist(), key=surprise)
        scores, best = probabilities(temperature).max(1)
        return {
            "temperature": round(temperature, 4),
            "threshold": _refusal_threshold(scores, best == places, refuse_right),
        }

    def uncalibrated(self) -> "Classification":
        raw = copy.copy(self)
        raw.temperature, raw.threshold = 1.0, 0.0
        return raw

    def metrics(self) -> "MetricCollection":
        from avpipe.objectives.class_metrics import class_metrics

        return class_metrics(self.num_outputs)

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        metrics.update(*self._tensors(answers, targets))

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        # One set of tensors and of metrics for all calls: a bootstrap asks a thousand times.
        scores, places_of_targets = self._tensors(answers, targets)
        metrics = self.metrics()

        def measured(places: Sequence[int]) -> dict[str, float]:
            chosen = torch.as_tensor(places)
            metrics.reset()
            metrics.update(scores[chosen], places_of_targets[chosen])
            return {name: float(value) for name, value in metrics.compute().items()}

        return measured

    def _tensors(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> tuple[Tensor, Tensor]:
        scores = torch.tensor([[answer.scores[label] for label in self.labels] for answer in answers])
        return scores, torch.stack([self.encode(target) for target in targets])

    def tables(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Mapping[str, list[list[str | int]]]:
        """The confusion matrix: a row a true label, a column the likeliest label."""
        likeliest = (max(self.labels, key=answer.scores.__getitem__) for answer in answers)
        said = Counter((str(target), label) for label, target in zip(likeliest, targets, strict=True))
        rows: list[list[str | int]] = [[true, *(said[true, label] for label in self.labels)] for true in self.labels]
        return {"confusion": [["label", *self.labels], *rows]}


def _refusal_threshold(scores: Tensor, right: Tensor, refuse_right: float) -> float:
    """The highest score below which no more answers are right than wrong, and at most ``refuse_right`` of the right.

    A part of the right answers alone would not do: where nearly all are right and sure, it would refuse whoever sounds
    a little different.

    Shape:
        scores: (N,); right: (N,), bool.
    """
    order = scores.argsort()
    refused_right = right[order].cumsum(0)
    refused_wrong = (~right[order]).cumsum(0)
    allowed = (refused_right <= refused_wrong) & (refused_right <= refuse_right * right.sum())
    if refuse_right <= 0 or not allowed[:-1].any():
        return 0.0
    last_refused = float(scores[order][int(allowed[:-1].nonzero()[-1])])
    # Right above the last one refused, and not at the first one kept: between them nothing is known.
    return min((math.floor(last_refused * 1e4) + 1) / 1e4, 1.0)
