"""One label of several."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassF1Score,
    MulticlassRecall,
)

from avpipe.networks import Output
from avpipe.objectives.objective import Batch, Decoded, Objective


class Classification(Objective):
    """Cross-entropy over labels; a file's scores are the mean of its windows' probabilities.

    Metrics: ``accuracy``; ``uar``, the unweighted average recall over labels; ``f1``, its counterpart for F1; ``ece``,
    the expected calibration error over 15 bins.

    Args:
        labels: in the order of the network's outputs.
        class_counts: training examples of each label.
        class_weights: ``balanced`` weighs each label by the inverse of its count, ``none`` weighs all examples alike.
        label_smoothing: part of the target that is spread evenly over all labels.

    Reference:
        C. Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599 (expected calibration error).
    """

    best_metric = "uar"
    class_weight: Tensor | None

    def __init__(
        self,
        labels: Sequence[str],
        class_counts: Sequence[int],
        class_weights: str = "none",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if len(labels) < 2 or len(set(labels)) != len(labels) or len(class_counts) != len(labels):
            raise ValueError("labels must be two or more different ones, each with its count")
        if class_weights not in ("none", "balanced"):
            raise ValueError(f"class_weights={class_weights} is none of: none, balanced")
        self.labels = tuple(labels)
        self.label_smoothing = label_smoothing
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
        return nn.functional.cross_entropy(
            output.value, batch.targets, weight=self.class_weight, label_smoothing=self.label_smoothing
        )

    def decode(self, output: Output) -> list[Decoded]:
        return [self._answer(row) for row in output.value.detach().double().cpu().softmax(1)]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        probabilities = torch.tensor([[window.scores[label] for label in self.labels] for window in windows])
        weight = torch.tensor(weights, dtype=torch.float64)[:, None]
        return self._answer((probabilities.double() * weight).sum(0) / weight.sum())

    def _answer(self, probabilities: Tensor) -> Decoded:
        scores = dict(zip(self.labels, probabilities.tolist(), strict=True))
        best = int(probabilities.argmax())
        return Decoded(self.labels[best], scores[self.labels[best]], scores)

    def metrics(self) -> MetricCollection:
        count = self.num_outputs
        return MetricCollection(
            {
                "accuracy": MulticlassAccuracy(count, average="micro"),
                "uar": MulticlassRecall(count, average="macro"),
                "f1": MulticlassF1Score(count, average="macro"),
                "ece": MulticlassCalibrationError(count, n_bins=15, norm="l1"),
            },
            compute_groups=False,
        )

    def update(self, metrics: MetricCollection, answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        scores = torch.tensor([[answer.scores[label] for label in self.labels] for answer in answers])
        metrics.update(scores, torch.stack([self.encode(target) for target in targets]))

    def tables(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Mapping[str, list[list[str | int]]]:
        """The confusion matrix: a row a true label, a column a label said."""
        said = Counter((str(target), str(answer.label)) for answer, target in zip(answers, targets, strict=True))
        rows: list[list[str | int]] = [[true, *(said[true, label] for label in self.labels)] for true in self.labels]
        return {"confusion": [["label", *self.labels], *rows]}
