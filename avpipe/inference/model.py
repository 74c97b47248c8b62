"""What answers: a bundle, or the graph that was exported of one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from avpipe.answers import Answers
from avpipe.windowing import Arrays, Windowing

Said = Mapping[tuple[str, ...], tuple[np.ndarray, np.ndarray | None]]
"""Scores of a batch and, where they have steps, how many; by the senses that were used, of one sense by none."""


class Model(Protocol):
    """A network, and all that answers need besides: :class:`avpipe.bundle.Bundle`, :class:`avpipe.graphs.Graph`."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """SHA-256 of what determines answers."""

    @property
    def notice(self) -> str:
        """What whoever uses it must know of its licence."""

    @property
    def windowing(self) -> Windowing: ...

    @property
    def objective(self) -> Answers: ...

    def answering(self, objective: Any) -> Self:
        """The same, with other answers."""

    @property
    def senses(self) -> tuple[str, ...]: ...

    @property
    def step_sec(self) -> float:
        """Seconds from one answer of the network to the next; 0 where it gives one a window."""

    @property
    def made(self) -> Callable[[Arrays], Arrays]:
        """Makes of a window's arrays what the network takes, by sense; called where files are decoded."""

    @property
    def on_cpu(self) -> bool: ...

    @property
    def batch_size(self) -> int | None:
        """Windows a batch, where others would not do; None: any."""

    def share(self, arrays: Arrays) -> int:
        """Of a window in parts of a full one: windows of different shares have no batch in common."""

    def computed(self, windows: Sequence[Arrays], size: int, share: int) -> Said:
        """What the network says of windows, and of as many empty ones as are missing of ``size``."""


AnyModel = TypeVar("AnyModel", bound=Model)
