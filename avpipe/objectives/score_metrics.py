"""Metrics of scores, gathered batch by batch; apart, as torchmetrics takes its time to load."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from avpipe.objectives.regression import score_metrics


class ScoreMetrics(Metric):
    """Those that :class:`avpipe.objectives.Regression` tells of."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("said", default=[], dist_reduce_fx="cat")
        self.add_state("true", default=[], dist_reduce_fx="cat")

    said: Any
    true: Any

    def update(self, said: Tensor, true: Tensor) -> None:
        """
        Shape:
            said: (N,); true: (N,).
        """
        self.said.append(said)
        self.true.append(true)

    def compute(self) -> dict[str, Tensor]:
        said, true = dim_zero_cat(self.said), dim_zero_cat(self.true)
        return {name: torch.tensor(value) for name, value in score_metrics(said.numpy(), true.numpy()).items()}
