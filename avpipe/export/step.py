"""One step of a filter as a graph: some sound and what it remembers in, clean sound and what it remembers out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.bundle import Bundle
from avpipe.errors import ArgumentError
from avpipe.export.graph import OPSET, card_of, write_graph
from avpipe.export.parity import TOLERANCE, Parity, windows_of
from avpipe.graphs import ExportError, open_session
from avpipe.networks import DenoisingNetwork
from avpipe.networks.denoiser import complex_product


class MaskStep(nn.Module):
    """:meth:`avpipe.networks.DenoisingNetwork.estimate` with the parts of its state one by one.

    Args:
        network: whose weights are used.
    """

    def __init__(self, network: DenoisingNetwork) -> None:
        super().__init__()
        self.network = network

    def initial(self, streams: int) -> list[Tensor]:
        """What a filter of so many streams remembers before they begin."""
        return [each.contiguous() for each in self.network.initial_state(streams)]

    def forward(self, spectrum: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """
        Shape:
            spectrum: (B, 2, T, 257); returns the mask of it, in the same shape, and the state for what follows.
        """
        mask, after = self.network.estimate(spectrum, list(state))
        return (mask, *after)


class SoundStep(nn.Module):
    """Sound in blocks of whole hops, cleaned one hop later.

    What it remembers is the last hop that it heard, what this hop's window adds to the next, and the network's state.

    Args:
        network: whose weights are used.
    """

    def __init__(self, network: DenoisingNetwork) -> None:
        super().__init__()
        self.network = network

    def initial(self, streams: int) -> list[Tensor]:
        """What a filter of so many streams remembers before they begin."""
        silence = torch.zeros(streams, self.network.stft.hop_length)
        return [silence, silence.clone(), *(each.contiguous() for each in self.network.initial_state(streams))]

    def forward(self, block: Tensor, heard: Tensor, overlap: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """
        Shape:
            block: (B, T * 256); returns as much sound, of one hop before, and what is to be remembered.
        """
        stft = self.network.stft
        hop = stft.hop_length
        spectrum = stft(torch.cat([heard, block], 1))
        mask, after = self.network.estimate(spectrum, list(state))
        clean = stft.inverse(complex_product(mask, spectrum))
        ready = torch.cat([clean[:, :hop] + overlap, clean[:, hop:-hop]], 1)
        return (ready, block[:, -hop:], clean[:, -hop:], *after)


def export_step(
    bundle: Bundle, path: Path, files: Sequence[Path] = (), opset: int = OPSET, masks: bool = False
) -> Parity:
    """Write one step of a filter as a graph, and compare it, block by block, with the network at once.

    Args:
        bundle: a filter, on the CPU.
        path: to write.
        files: to compare on besides a stretch of noise.
        opset: version of ONNX's operators.
        masks: spectra in and masks out, at any sample rate, in place of sound at the bundle's own.

    Raises:
        ArgumentError: for a bundle that is no filter.
        ExportError: if it cannot be exported, or says something else.
    """
    if not isinstance(bundle.network, DenoisingNetwork):
        raise ArgumentError(f"bundle={bundle.name}", "is no filter, which alone has steps", "leave streaming=true out")
    step = (MaskStep if masks else SoundStep)(bundle.network).eval()
    first, time = ("spectrum", 2) if masks else ("block", 1)
    example = torch.randn(2, 2, 3, 257) if masks else 0.1 * torch.randn(2, 3 * bundle.network.stft.hop_length)
    state = step.initial(2)
    names = [f"state_{place}" for place in range(len(state))]
    outputs = ["mask" if masks else "clean", *(f"next_{name}" for name in names)]
    axes = {first: {0: "streams", time: "steps"}, outputs[0]: {0: "streams", time: "steps"}}
    axes |= {name: {0: "streams"} for name in (*names, *outputs[1:])}
    card = replace(
        card_of(bundle),
        inputs={"waveform": first},
        output=outputs[0],
        least={name: list(each.shape) for name, each in zip(names, state, strict=True)},
        streaming=True,
    )
    write_graph(path, step, (example, *state), ([first, *names], outputs), axes, card, opset)
    sounds = [window["waveform"] for file in files for window in windows_of(bundle, file, 1)]
    parts = [torch.randn(1, 16 * 256 * 4, generator=torch.Generator().manual_seed(0)).numpy() * 0.1, *sounds]
    greatest = max(_apart(step, path, torch.from_numpy(part), masks) for part in parts)
    if not greatest <= TOLERANCE:
        reason = f"its steps differ from the bundle by {greatest:.2g}, of {TOLERANCE:g} that are allowed; not written"
        raise ExportError(f"graph of {bundle.name}", reason, "use runtime=torch")
    return Parity(len(sounds), len(parts), greatest)


@torch.inference_mode()
def _apart(step: MaskStep | SoundStep, path: Path, sound: Tensor, masks: bool) -> float:
    """Of a stretch at once by torch, and in blocks of one, two, ... frames by the graph."""
    hop = step.network.stft.hop_length
    whole = sound[:, : sound.shape[1] // hop * hop]
    given = step.network.stft(whole) if masks else whole
    expected = step(given, *step.initial(1))[0].numpy()
    session = open_session(str(path))
    names = [each.name for each in session.get_inputs()]
    state = [each.numpy() for each in step.initial(1)]
    found, place, size = [], 0, 1
    frames = given.shape[2] if masks else given.shape[1] // hop
    while place < frames:
        size = min(size, frames - place)
        part = given[:, :, place : place + size] if masks else given[:, place * hop : (place + size) * hop]
        said, *state = session.run(None, dict(zip(names, [part.numpy(), *state], strict=True)))
        found.append(said)
        place, size = place + size, size % 7 + 1
    return float(np.abs(np.concatenate(found, 2 if masks else 1) - expected).max(initial=0.0))
