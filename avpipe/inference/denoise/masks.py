"""What says of each moment and frequency how much of it is speech: a bundle's network, or the graph of its step."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from avpipe.errors import ArgumentError
from avpipe.graphs import Graph, load_graph

if TYPE_CHECKING:
    from avpipe.bundle import Bundle

State = Sequence[Any]
"""What a stream hands on from one block of frames to the next: the past that each layer still looks at."""


class Masks(Protocol):
    """Causal, and cut into blocks of any sizes the same."""

    def initial_state(self, streams: int) -> State:
        """The past of streams that begin: silence."""

    def estimate(self, spectrum: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """The mask of some frames, and the state for those that follow.

        Shape:
            spectrum: (B, T, 257), complex64; returns a mask of the same shape.
        """


class TorchMasks:
    """Those of a bundle's network.

    Args:
        bundle: a filter.

    Raises:
        ArgumentError: for a bundle that is none.
    """

    def __init__(self, bundle: "Bundle") -> None:
        from avpipe.networks import DenoisingNetwork

        if not isinstance(bundle.network, DenoisingNetwork):
            raise ArgumentError(f"bundle={bundle.name}", "is no denoising filter", "give bundle=denoise")
        self.network = bundle.network
        self.device = bundle.device

    def initial_state(self, streams: int) -> State:
        return self.network.initial_state(streams)

    def estimate(self, spectrum: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        import torch

        with torch.inference_mode():
            mask, after = self.network.estimate(torch.from_numpy(_parts(spectrum)).to(self.device), list(state))
            return _joined(mask.cpu().numpy()), after


class GraphMasks:
    """Those of a graph that ``avpipe export streaming=spectrum`` has written; each process opens it for itself.

    Args:
        path: of the graph.

    Raises:
        ArgumentError: if onnxruntime is not installed, or it is another graph.
        GraphError: if it cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        card = self.graph.card
        if not card.streaming or card.output != "mask":
            remedy = "export it with streaming=spectrum, or name a bundle"
            raise ArgumentError(f"bundle={path}", "is no step from spectra to masks", remedy)

    @cached_property
    def graph(self) -> Graph:
        return load_graph(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def initial_state(self, streams: int) -> State:
        return [np.zeros((streams, *shape[1:]), np.float32) for shape in self.graph.card.least.values()]

    def estimate(self, spectrum: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        names = ["spectrum", *self.graph.card.least]
        mask, *after = self.graph.session.run(None, dict(zip(names, [_parts(spectrum), *state], strict=True)))
        return _joined(mask), after


def _parts(spectrum: np.ndarray) -> np.ndarray:
    """Real and imaginary parts, (B, 2, T, bins)."""
    return np.stack([spectrum.real, spectrum.imag], 1)


def _joined(parts: np.ndarray) -> np.ndarray:
    joined: np.ndarray = parts[:, 0] + 1j * parts[:, 1]
    return joined
