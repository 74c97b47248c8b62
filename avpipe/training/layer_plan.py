"""What each stage of one network does in each epoch. It hangs on the epoch alone: a run that goes on knows it anew."""

from collections.abc import Mapping, Sequence
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

    encoders: tuple[nn.Module, ...] = ()
    """What the stages below the head are of."""

    @property
    def rate_factors(self) -> Mapping[nn.Parameter, float]:
        """Of each weight, what the learning rate is multiplied by."""
        return {each: planned.rate_factor for planned in self.stages for each in planned.stage.parameters}

    @property
    def changes(self) -> bool:
        """Whether a stage begins to learn after others."""
        return any(planned.first_epoch for planned in self.stages)

    def prepare(self) -> None:
        """Before anything learns: what never will needs no gradient and stands still."""
        self._set([planned.first_epoch is not None for planned in self.stages])

    def begin_epoch(self, epoch: int) -> None:
        """Let the stages learn, or stand still, that do in this epoch (from 0), with their BatchNorm and dropout."""
        self._set([planned.learns(epoch) for planned in self.stages])

    def _set(self, learning: Sequence[bool]) -> None:
        for encoder in self.encoders:
            encoder.train(any(learning[:-1]))  # what stands between blocks and has no weights
        for planned, learns in zip(self.stages, learning, strict=True):
            for parameter in planned.stage.parameters:
                parameter.requires_grad_(learns)
            for module in planned.stage.modules:
                module.train(learns)
                if learns and not self.batch_norm_learns:
                    _keep_statistics(module)

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


def _keep_statistics(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, BATCH_NORMS):
            part.eval()
