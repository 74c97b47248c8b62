"""Rates of errors over pairs, gathered batch by batch; apart, as torchmetrics takes its time to load."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from avpipe.objectives.detection import detection_rates


class DetectionRates(Metric):
    """``eer`` and ``min_dcf`` of pairs, as :func:`detection_rates` has them."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("same", default=[], dist_reduce_fx="cat")

    scores: Any
    same: Any

    def update(self, scores: Tensor, same: Tensor) -> None:
        """
        Shape:
            scores: (pairs,); same: (pairs,), bool.
        """
        self.scores.append(scores)
        self.same.append(same)

    def compute(self) -> dict[str, Tensor]:
        scores, same = dim_zero_cat(self.scores), dim_zero_cat(self.same)
        return {name: torch.tensor(value) for name, value in detection_rates(scores.numpy(), same.numpy()).items()}
