"""Metrics of answers that are labels."""

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from avpipe.objectives.objective import counted_alone


class UnweightedAverageRecall(MulticlassConfusionMatrix):
    """Mean of the recalls of those labels that occur among the targets.

    torchmetrics' own macro recall counts a label that never occurs as recall 0 as soon as it is answered once, so that
    a test part without it, or a resample, would score the answers for what cannot be scored.
    """

    def compute(self) -> Tensor:
        matrix = super().compute().double()
        occurs = matrix.sum(1) > 0
        return (matrix.diagonal()[occurs] / matrix.sum(1)[occurs]).mean()


def class_metrics(num_labels: int) -> MetricCollection:
    """Those that :class:`avpipe.objectives.Classification` tells of."""
    # Of five labels or fewer, the true one is always among five.
    top5 = {"top5": MulticlassAccuracy(num_labels, top_k=5, average="micro")} if num_labels > 5 else {}
    collection = MetricCollection(
        {
            "accuracy": MulticlassAccuracy(num_labels, average="micro"),
            **top5,
            "uar": UnweightedAverageRecall(num_labels),
            "f1": MulticlassF1Score(num_labels, average="macro"),
            "ece": MulticlassCalibrationError(num_labels, n_bins=15, norm="l1"),
        },
        compute_groups=False,
    )
    return counted_alone(collection)
