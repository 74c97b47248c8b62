"""Which stages of a network learn, from which epoch on, and how fast beside the head."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from avpipe.errors import ArgumentError
from avpipe.networks import Stage, encoders_of, stages_of
from avpipe.training.layer_plan import LayerPlan, PlannedStage

FEW_EXAMPLES = 10_000
MANY_EXAMPLES = 50_000
FEW_LABELS = 100


class Transfer(ABC):
    """A way to train a network that may begin with another one's weights.

    Args:
        lr_decay: the learning rate of a stage is that of the stage above times this; the head has ``optim.lr``.
        batch_norm: ``train``: in stages that learn, BatchNorm measures each batch and goes on averaging; ``eval``: it
            keeps the given means and variances throughout. In a stage that stands still it always does.

    Reference:
        J. Howard, S. Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018, arXiv:1801.06146
        (rates by layer, thawing from the top); K. Clark et al., "ELECTRA", 2020, arXiv:2003.10555 (one factor from
        layer to layer); J. Yosinski et al., "How transferable are features in deep neural networks?", 2014,
        arXiv:1411.1792.
    """

    needs_weights = True
    """Whether it makes sense only where a network begins with given weights."""

    def __init__(self, lr_decay: float = 1.0, batch_norm: str = "train") -> None:
        if not 0 < lr_decay <= 1:
            raise ArgumentError(f"transfer.lr_decay={lr_decay}", "is no factor", "give a number above 0, up to 1")
        if batch_norm not in ("train", "eval"):
            raise ArgumentError(f"transfer.batch_norm={batch_norm}", "no such choice", "choose from: train, eval")
        self.lr_decay = float(lr_decay)
        self.batch_norm = batch_norm

    @property
    def name(self) -> str:
        """As ``transfer=`` has it."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(self).__name__)[1:]

    def chosen(self, num_examples: int, num_labels: int | None, given: bool) -> tuple["Transfer", str]:
        """The way that is really gone, and why; itself, but for :class:`Auto`.

        Args:
            num_examples: to train on.
            num_labels: to tell apart; None: the task has none.
            given: whether the network begins with given weights.

        Raises:
            ArgumentError: this way and what the network begins with do not go together.
        """
        if self.needs_weights and not given:
            remedy = "give init_from=BUNDLE or encoder.weights=, or transfer=scratch"
            raise ArgumentError(f"transfer={self.name}", "nothing is given to keep", remedy)
        return self, ""

    def plan(self, network: nn.Module, max_epochs: int) -> LayerPlan:
        """What each stage of a network does.

        Raises:
            ArgumentError: a stage that the network does not have.
        """
        stages = stages_of(network)
        first_epochs = [*self.first_epochs(stages[:-1], max_epochs), 0]
        factors = [self.lr_decay**depth for depth in reversed(range(len(stages)))]
        planned = map(PlannedStage, stages, factors, first_epochs)
        return LayerPlan(tuple(planned), self.batch_norm == "train", tuple(encoders_of(network).values()))

    @abstractmethod
    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        """The epoch, from 0, from which each stage below the head learns; None: it never does."""


class Full(Transfer):
    """Every layer learns from the first step, whatever the network begins with."""

    needs_weights = False

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        return [0] * len(stages)


class Scratch(Full):
    """Every layer learns, and begins with nothing."""

    def chosen(self, num_examples: int, num_labels: int | None, given: bool) -> tuple[Transfer, str]:
        if given:
            reason = "begins with nothing, and weights are given"
            raise ArgumentError("transfer=scratch", reason, "leave out init_from and encoder.weights, or transfer=full")
        return self, ""


class Features(Transfer):
    """The encoders stand still and give features; what is behind them learns."""

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        _check_encoder(self.name, stages)
        return [None] * len(stages)


class LastBlocks(Transfer):
    """The last blocks of the encoders learn, and what is behind them.

    Args:
        count: of blocks.
        lr_decay: as :class:`Transfer` has it.
        batch_norm: as :class:`Transfer` has it.
    """

    def __init__(self, count: int, lr_decay: float = 1.0, batch_norm: str = "train") -> None:
        super().__init__(lr_decay, batch_norm)
        self.count = count

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        _check_encoder(self.name, stages)
        if not 1 <= self.count <= len(stages):
            reason = f"names no layer: the encoder has {len(stages)} blocks, {_named(stages)}"
            raise ArgumentError(f"transfer.count={self.count}", reason, f"give 1 to {len(stages)}")
        return [None] * (len(stages) - self.count) + [0] * self.count


class Staged(Transfer):
    """The head learns first; blocks of the encoders follow from the top, each with all that is above it.

    Args:
        stages: each an ``epoch``, counted from 1, and the ``block`` that learns from it on: its number from the top,
            its name, or ``all``. None: one block after the other, evenly over the first half of all epochs.
        lr_decay: as :class:`Transfer` has it.
        batch_norm: as :class:`Transfer` has it.
    """

    def __init__(
        self, stages: Sequence[Mapping[str, Any]] | None = None, lr_decay: float = 1.0, batch_norm: str = "train"
    ) -> None:
        super().__init__(lr_decay, batch_norm)
        if stages is not None and not all(set(stage) == {"epoch", "block"} for stage in stages):
            reason = "each has an epoch and a block"
            raise ArgumentError("transfer.stages", reason, "such as [{epoch:3,block:1},{epoch:6,block:all}]")
        self.stages = stages

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        _check_encoder(self.name, stages)
        if self.stages is None:
            # The last of them at the half; none in the first epoch, if there is another.
            evenly = [math.ceil(depth * max_epochs / 2 / len(stages)) for depth in range(len(stages), 0, -1)]
            return [min(max(epoch, 1), max_epochs - 1) for epoch in evenly]
        epochs: list[int | None] = [None] * len(stages)
        for stage in self.stages:
            epoch = stage["epoch"]
            if type(epoch) is not int or not 1 <= epoch <= max_epochs:
                reason = f"there is no such epoch: trainer.max_epochs={max_epochs}"
                raise ArgumentError(f"transfer.stages: epoch {epoch}", reason, f"give 1 to {max_epochs}")
            for place in range(_place(stages, stage["block"]), len(stages)):
                known = epochs[place]
                epochs[place] = epoch - 1 if known is None else min(known, epoch - 1)
        return epochs


class Auto(Transfer):
    """Chooses by the size of the corpus: the fewer examples, the more is kept of what was given.

    Args:
        lr_decay: as :class:`Transfer` has it.
        batch_norm: as :class:`Transfer` has it.
    """

    needs_weights = False

    def chosen(self, num_examples: int, num_labels: int | None, given: bool) -> tuple[Transfer, str]:
        if not given:
            return Full(), "no weights are given: every layer learns"
        options = self.lr_decay, self.batch_norm
        told = f"{num_examples} training examples"
        if num_examples < FEW_EXAMPLES:
            return _UpperPart(0.0, *options), f"{told} are fewer than {FEW_EXAMPLES}: the last layers learn"
        if num_examples < MANY_EXAMPLES:
            reason = f"{told} are fewer than {MANY_EXAMPLES}: the upper half of the encoder learns"
            return _UpperPart(0.5, *options), reason
        if num_labels is not None and num_labels > FEW_LABELS:
            reason = f"{num_labels} labels are more than {FEW_LABELS}: the upper half of the encoder learns"
            return _UpperPart(0.5, *options), reason
        return Full(*options), f"{told} are {MANY_EXAMPLES} or more, of few labels: every layer learns"

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        raise NotImplementedError("another one was chosen")


class _UpperPart(LastBlocks):
    """A part of the blocks, from the top: at least one, of however many there are."""

    def __init__(self, part: float, lr_decay: float, batch_norm: str) -> None:
        super().__init__(1, lr_decay, batch_norm)
        self.part = part

    @property
    def name(self) -> str:
        return "last_blocks"

    def first_epochs(self, stages: Sequence[Stage], max_epochs: int) -> list[int | None]:
        self.count = max(1, round(self.part * len(stages)))
        return super().first_epochs(stages, max_epochs)


def _check_encoder(name: str, stages: Sequence[Stage]) -> None:
    if not stages:
        raise ArgumentError(f"transfer={name}", "this task's network has no encoder to keep", "give transfer=full")


def _place(stages: Sequence[Stage], block: object) -> int:
    """The place of a block that is named by its number from the top, by its name, or by ``all``."""
    if block == "all":
        return 0
    if type(block) is int and 1 <= block <= len(stages):
        return len(stages) - block
    for place, stage in enumerate(stages):
        if block == stage.name or block in stage.name.split("+"):
            return place
    reason = f"names no layer: the encoder has {len(stages)} blocks, {_named(stages)}"
    raise ArgumentError(f"transfer.stages: block {block}", reason, f"give a name, 1 to {len(stages)}, or all")


def _named(stages: Iterable[Stage]) -> str:
    return ", ".join(stage.name for stage in stages)
