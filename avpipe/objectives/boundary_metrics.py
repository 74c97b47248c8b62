"""Counts of transitions over many films."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from avpipe.objectives.matching import COUNTS, rates


class BoundaryRates(Metric):
    """Sums the counts of :func:`avpipe.objectives.matching.matched`; see there for what they mean."""

    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(len(COUNTS), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, counts: Mapping[str, float]) -> None:
        self.counts += torch.tensor([counts[name] for name in COUNTS], dtype=torch.float64)

    def compute(self) -> dict[str, Any]:
        told = rates(dict(zip(COUNTS, self.counts.tolist(), strict=True)))
        return {name: torch.tensor(value) for name, value in told.items()}
