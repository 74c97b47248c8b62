"""What every objective offers to the learner and to the predictor."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

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


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of a transcript, and when it was said."""

    text: str
    start_sec: float
    end_sec: float
    score: float
    """How sure, in [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameScores:
    """What is said of each frame of a stretch of film.

    Shape:
        scores: (T, kinds), in [0, 1]; times_sec: (T,), presentation times, once the stretch is placed.
    """

    scores: np.ndarray
    times_sec: np.ndarray = field(default_factory=lambda: np.empty(0))
    end_sec: float = math.nan
    """Until when its last frame is on show."""

    def part(self, first: int, end: int) -> "FrameScores":
        """Some of the frames."""
        return replace(self, scores=self.scores[first:end], times_sec=self.times_sec[first:end])


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where one shot of a film ends and the next begins. All times are presentation times of frames."""

    time_sec: float
    """Of the first frame of the new shot; of a gradual transition, of the frame in its middle."""
    kind: str
    """``cut`` or ``gradual``."""
    score: float
    """How sure, in [0, 1]."""
    start_sec: float
    """Of the first frame that is not the old shot alone."""
    end_sec: float
    """Of the first frame that is the new shot alone; of a cut, the same."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A stretch of film between two boundaries."""

    start_sec: float
    """Presentation time of its first frame."""
    end_sec: float
    """Where the next shot begins, or the film ends."""
    num_frames: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """An answer in a person's terms."""

    label: str | None = None
    score: float | None = None
    """How sure, in [0, 1]."""
    scores: dict[str, float] = field(default_factory=dict)
    """By label; those of the labels that a bundle has learned sum to 1."""
    text: str | None = None
    words: tuple[Word, ...] = ()
    """Of the text."""
    units: tuple[Word, ...] = ()
    """What words are made of, before they are: letters, say. Times are in steps of the network's answer until
    :meth:`placed` makes seconds of them."""
    embedding: tuple[float, ...] = ()
    """A vector near to those of the same voice, of length 1 where the answer is finished."""
    border_sec: float = 0.0
    """From where on the units of a window count that lies behind another: the middle of their overlap."""
    frames: tuple[FrameScores, ...] = ()
    """Of a film whose every frame is judged, until its answer is finished."""
    boundaries: tuple[Boundary, ...] = ()
    shots: tuple[Shot, ...] = ()
    """Of a film, from its first frame to its end; at least one where boundaries are looked for."""

    def placed(
        self,
        start_sec: float,
        step_sec: float,
        overlap_sec: float,
        quiet_sec: float = 0.0,
        end_sec: float = math.inf,
        frame_times_sec: np.ndarray | None = None,
    ) -> "Decoded":
        """The answer of a window, its units and frames at their seconds in the file.

        Args:
            start_sec: where the window begins.
            step_sec: from one step of the network's answer to the next.
            overlap_sec: of two windows.
            quiet_sec: of silence that the network heard in front of the window.
            end_sec: where the window ends.
            frame_times_sec: of the window's frames, where each is judged.
        """

        def seconds(steps: float) -> float:
            return min(max(start_sec - quiet_sec + steps * step_sec, start_sec), end_sec)

        units = tuple(
            Word(each.text, seconds(each.start_sec), seconds(each.end_sec), each.score) for each in self.units
        )
        frames = self.frames
        if frame_times_sec is not None:
            frames = tuple(replace(each, times_sec=frame_times_sec, end_sec=end_sec) for each in frames)
        return replace(self, units=units, border_sec=start_sec + overlap_sec / 2.0, frames=frames)


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


class Objective(nn.Module, ABC):
    """Loss, metrics and decoding of one kind of output."""

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
    edge_silence_sec: float = 0.0
    """Of silence, at the least, between which a recording is heard, in training and in prediction."""

    @classmethod
    @abstractmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        """What the training targets tell about the constructor's arguments, as plain data."""

    @classmethod
    def specified(cls, spec: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Any]:
        """What the objective is built from: ``spec``, and what the training targets tell."""
        return {**spec, **cls.vocabulary(targets)}

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How answers are found, as plain data; empty where there is but one way."""
        return {}

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

    @abstractmethod
    def decode(self, output: Output) -> list[Decoded]:
        """An answer for each item of the batch."""

    def judge(self, output: Output, batch: Batch) -> list[Decoded]:
        """What validation counts of each item: the answer, or where that is no label what it is worth."""
        return self.decode(output)

    @abstractmethod
    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One answer for a file from those for its windows; ``weights`` are their true seconds."""

    def finished(self, combined: Decoded) -> Decoded:
        """The answer for a file, when all of its windows are combined."""
        return combined

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
