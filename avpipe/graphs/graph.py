"""A graph that answers as its bundle does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from avpipe.answers import Answers
from avpipe.errors import ArgumentError
from avpipe.graphs.errors import GraphError
from avpipe.graphs.metadata import KEY, Card
from avpipe.windowing import Arrays, Windowing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TIME_OF = {"waveform": 2, "frames": 1}
"""The axis of time of each input, whose first axis is the batch."""

_ERRORS_ONLY = 3
"""Of onnxruntime's levels of what it tells."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """An exported bundle: whatever :class:`avpipe.bundle.Bundle` is asked for by those that answer, without torch.

    Each window is computed alone and as long as it is, by one thread: its answer cannot depend on its neighbours.
    """

    card: Card
    objective: Answers
    session: "InferenceSession"

    def answering(self, objective: Any) -> Self:
        """The same, with other answers."""
        return replace(self, objective=objective)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def digest(self) -> str:
        return self.card.digest

    @property
    def notice(self) -> str:
        return self.card.notice

    @property
    def windowing(self) -> Windowing:
        return self.card.windowing

    @property
    def senses(self) -> tuple[str, ...]:
        return self.card.senses

    @property
    def step_sec(self) -> float:
        return self.card.step_sec

    @property
    def made(self) -> Callable[[Arrays], Arrays]:
        """The arrays themselves, by the sense that takes them; features are made by the graph."""
        return _BySense(self.card.inputs)

    @property
    def on_cpu(self) -> bool:
        return True

    @property
    def batch_size(self) -> int | None:
        return 1

    def share(self, arrays: Arrays) -> int:
        return 1

    def computed(
        self, windows: Sequence[Arrays], size: int, share: int
    ) -> dict[tuple[str, ...], tuple[np.ndarray, np.ndarray | None]]:
        """What the graph says of one window (:class:`avpipe.inference.model.Model`)."""
        (window,) = windows
        found = dict(zip(self._outputs, self.session.run(None, self.fed(window)), strict=True))
        if not self.senses:
            return {(): (found[self.card.output], found.get("steps"))}
        prefix = f"{self.card.output}_by_"
        said: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray | None]] = {
            self.senses: (found[self.card.output], None)
        }
        for name in self._outputs:
            if name.startswith(prefix):
                used = name.removeprefix(prefix).split("_")
                said[tuple(sense for sense in self.senses if sense in used)] = found[name], None
        return said

    @property
    def _outputs(self) -> list[str]:
        return [output.name for output in self.session.get_outputs()]

    def fed(self, window: Arrays) -> dict[str, np.ndarray]:
        """A window as a batch of one, by the names of the inputs."""
        fed: dict[str, np.ndarray] = {}
        names = {value.name for value in self.session.get_inputs()}
        for value in self.session.get_inputs():
            if (sense := next((each for each, name in self.card.inputs.items() if name == value.name), None)) is None:
                continue  # a length, which goes with its array
            axis = TIME_OF[value.name]
            shape = [each if isinstance(each, int) else 1 for each in value.shape]
            steps = window[sense].shape[axis - 1] if sense in window else 0
            shape[axis] = max(steps, self.card.least[value.name])
            array = np.zeros(shape, np.uint8 if value.name == "frames" else np.float32)
            if sense in window:
                array[0].swapaxes(0, axis - 1)[:steps] = window[sense].swapaxes(0, axis - 1)
            fed[value.name] = array
            if f"{value.name}_length" in names:
                fed[f"{value.name}_length"] = np.array([steps])
        return fed


@dataclass(frozen=True, slots=True)
class _BySense:
    inputs: Mapping[str, str]

    def __call__(self, arrays: Arrays) -> Arrays:
        return {sense: arrays[name] for sense, name in self.inputs.items() if name in arrays}


def check_onnxruntime() -> None:
    """
    Raises:
        ArgumentError: if onnxruntime is not installed.
    """
    if find_spec("onnxruntime") is None:
        raise ArgumentError("runtime=onnx", "onnxruntime is not installed", 'pip install "avpipe[onnx]"')


def open_session(model: str | bytes, threads: int = 1) -> "InferenceSession":
    """onnxruntime's, of a file or its content, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.enable_mem_pattern = False  # hardly two windows are of one length
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def load_graph(path: Path) -> Graph:
    """Read a file that ``avpipe export`` has written.

    Raises:
        ArgumentError: if onnxruntime is not installed.
        GraphError: for a file that is none of these, or damaged.
    """
    check_onnxruntime()
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    try:
        session = open_session(str(path))
    except tuple(_refusals(states)) as error:
        reason = str(error).strip().splitlines()[0].rpartition(" : ")[2]
        raise GraphError(path, f"onnxruntime cannot load it ({reason[:200]})", "export it again") from error
    text: str | None = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise GraphError(path, "is no graph of avpipe's", "name a file that avpipe export has written")
    card = Card.from_text(path, text)
    return Graph(card, card.answers, session)


def _refusals(states: Any) -> list[type[Exception]]:
    names = ("Fail", "InvalidProtobuf", "InvalidGraph", "NotImplemented", "NoSuchFile", "InvalidArgument", "NoModel")
    return [getattr(states, name) for name in names if hasattr(states, name)] + [RuntimeError]
