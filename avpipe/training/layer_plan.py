"""What each stage of one network does in each epoch. It hangs on the epoch alone: a run that goes on knows it anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from avpipe.networks import Stage

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage."""

    stage: Stage
    rate_factor: float
    """Its learning rate is ``optim.lr`` times this."""
    first_epoch: int | None
    """From which on it learns, counted from 0; None: it never does."""

    def learns(self, epoch: int) -> bool:
        return self.first_epoch is not None and self.first_epoch <= epoch


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """All stages of a network, from its input to its output."""

    stages: tuple[PlannedStage, ...]
    batch_norm_learns: bool
    """In stages that learn; elsewhere BatchNorm keeps its means and variances."""

    @property
    def rate_factors(self) -> Mapping[nn.Parameter, float]:
        """Of each weight, what the learning rate is multiplied by."""
        return {
            parameter: planned.rate_factor
            for planned in self.stages
            for module in planned.stage.modules
            for parameter in module.parameters()
        }

    @property
    def changes(self) -> bool:
        """Whether a stage begins to learn after others."""
        return any(planned.first_epoch for planned in self.stages)

    def prepare(self) -> None:
        """Before anything learns: what never will needs no gradient and stands still."""
        for planned in self.stages:
            self._set(planned, planned.first_epoch is not None)

    def begin_epoch(self, epoch: int) -> None:
        """Let the stages learn, or stand still, that do in this epoch (from 0), with their BatchNorm and dropout."""
        for planned in self.stages:
            self._set(planned, planned.learns(epoch))

    def _set(self, planned: PlannedStage, learns: bool) -> None:
        for module in planned.stage.modules:
            module.requires_grad_(learns).train(learns)
            if learns and not self.batch_norm_learns:
                for part in module.modules():
                    if isinstance(part, BATCH_NORMS):
                        part.eval()

    def told(self) -> list[dict[str, Any]]:
        """Each stage as plain data; epochs are counted from 1."""
        return [
            {
                "stage": each.stage.name,
                "parameters": each.stage.num_parameters,
                "rate_factor": round(each.rate_factor, 6),
                "learns_from_epoch": None if each.first_epoch is None else each.first_epoch + 1,
            }
            for each in self.stages
        ]
