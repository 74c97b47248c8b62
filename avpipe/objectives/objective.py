"""What every objective offers to the learner and to the predictor."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from avpipe.answers import Answers, Decoded
from avpipe.errors import ArgumentError
from avpipe.features import Features
from avpipe.networks import Output

if TYPE_CHECKING:  # a quarter of a gigabyte and two seconds, which answers do not need
    from torchmetrics import MetricCollection

_AUXILIARY_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one shape with their targets.

    Shape:
        features: (B, ...) a sense; lengths: (B,) a sense; targets: (B, ...), as :meth:`Objective.encode` makes them,
        with -1 behind those that are shorter than others.
    """

    features: Features
    lengths: dict[str, Tensor]
    targets: Tensor
    examples: tuple[int, ...] = ()
    """Which example each window was cut from."""
    seconds: tuple[float, ...] = ()
    """True length of each window."""
    partner_targets: Tensor | None = None
    """(B, ...), where items were mixed (:class:`avpipe.augment.Mixture`): the target of the item mixed in."""
    partner_weight: Tensor | None = None
    """(B,), where items were mixed: the share in [0, 1] of the item mixed in."""

    def to(self, device: torch.device, **options: Any) -> "Batch":
        """The same batch on ``device``; Lightning calls it by this name."""
        return self._mapped(lambda tensor: tensor.to(device, **options))

    def pin_memory(self) -> "Batch":
        """The same batch in memory that a GPU copies from; torch's loader calls it by this name."""
        return self._mapped(Tensor.pin_memory)

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        targets, weight = self.partner_targets, self.partner_weight
        return replace(
            self,
            features={sense: change(value) for sense, value in self.features.items()},
            lengths={sense: change(value) for sense, value in self.lengths.items()},
            targets=change(self.targets),
            partner_targets=None if targets is None else change(targets),
            partner_weight=None if weight is None else change(weight),
        )


def counted_alone(metrics: "MetricCollection") -> "MetricCollection":
    """The same collection, which counts what this process was told and no more.

    torchmetrics adds the counts of all processes of a training, which would count twice what was gathered before, and
    wait for ever where one process evaluates alone.
    """
    for metric in metrics.values():
        metric.distributed_available_fn = _never
    return metrics


def _never() -> bool:
    return False


class Objective(nn.Module, Answers):
    """Loss and metrics of one kind of output; what it says is :class:`avpipe.answers.Answers`."""

    best_metric: str
    """Name of the metric by which the best checkpoint is chosen; greater is better but for :attr:`best_is_least`."""
    best_is_least: bool = False
    """The other way round: a rate of errors."""
    has_calibration: bool = False
    """Whether :meth:`calibration` tells anything."""
    is_comparable: bool = True
    """Whether answers of two networks of one recipe mean the same; vectors of two networks lie in two spaces."""
    needs_whole: bool = False
    """Whether a target tells of its whole recording, in order, so that no window can be cut out of it to learn from."""

    @classmethod
    @abstractmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        """What the training targets tell about the constructor's arguments, as plain data."""

    @classmethod
    def specified(cls, spec: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Any]:
        """What the objective is built from: ``spec``, and what the training targets tell."""
        return {**spec, **cls.vocabulary(targets)}

    @property
    @abstractmethod
    def num_outputs(self) -> int | None:
        """Width of the network's head; None where the network has none."""

    @abstractmethod
    def encode(self, target: Any) -> Tensor:
        """A corpus's target as a tensor."""

    def refusal(self, target: Any) -> str:
        """Why a corpus's target is none that it can learn or be compared with; empty where it is one."""
        return ""

    @abstractmethod
    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the batch, a scalar."""

    def training_loss(self, output: Output, batch: Batch) -> Tensor:
        """The loss, and three tenths of that of each head half-way up the network.

        Reference:
            C. Szegedy et al., "Going Deeper with Convolutions", 2014, arXiv:1409.4842.
        """
        loss = self.loss(output, batch)
        for value in output.auxiliary.values():
            loss = loss + _AUXILIARY_WEIGHT * self.loss(replace(output, value=value), batch)
        return loss

    def scores(self, value: Tensor) -> Tensor:
        """What answers are made of (:meth:`said`), of what a network says; it stands in an exported graph, too."""
        return value

    def decode(self, output: Output) -> list[Decoded]:
        """An answer for each item of the batch."""
        lengths = None if output.lengths is None else output.lengths.cpu().numpy()
        return self.said(self.scores(output.value.detach().float()).cpu().numpy(), lengths)

    def judge(self, output: Output, batch: Batch) -> list[Decoded]:
        """What validation counts of each item: the answer, or where that is no label what it is worth."""
        return self.decode(output)

    def calibration(
        self, windows: Sequence[tuple[Tensor, Tensor]], targets: Sequence[Any], refuse_right: float
    ) -> dict[str, Any]:
        """What examples that were not trained on tell about the constructor's arguments, as plain data.

        Args:
            windows: of each example, the network's values and the true seconds of its windows.
            targets: of the examples, as the corpus has them.
            refuse_right: greatest part of the right answers that may be refused.

        Shape:
            windows: (W, num_outputs) and (W,) each.
        """
        return {}

    def uncalibrated(self) -> "Objective":
        """This objective as it was before :meth:`calibration`."""
        return self

    @abstractmethod
    def metrics(self) -> "MetricCollection":
        """A fresh collection, on the CPU."""

    @abstractmethod
    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        """Count answers against a corpus's targets."""

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        """A function that returns the metrics of some of the answers, by their places; one may be named twice."""

        def measured(places: Sequence[int]) -> dict[str, float]:
            metrics = self.metrics()
            self.update(metrics, [answers[place] for place in places], [targets[place] for place in places])
            return {name: float(value) for name, value in metrics.compute().items()}

        return measured

    def tables(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Mapping[str, list[list[str | int]]]:
        """Tables worth a look beside the metrics, by name: rows, the first of them the heading."""
        return {}


def check_targets(objective: Objective, targets: Iterable[tuple[Path, Any]]) -> None:
    """Refuse what cannot be learned or compared with an answer.

    Args:
        objective: of the bundle.
        targets: of examples, each with the file that it belongs to.

    Raises:
        ArgumentError: naming the first such file and what its target is.
    """
    for path, target in targets:
        if reason := objective.refusal(target):
            raise ArgumentError(path, reason, "mend it, or choose another scale or objective")
