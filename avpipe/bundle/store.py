"""Bundles on disk: find, save, load."""

import errno
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from avpipe.bundle.computing import computed, senses_of, share_of
from avpipe.bundle.errors import BundleError
from avpipe.bundle.golden import prove, write_golden
from avpipe.bundle.manifest import GOLDEN, MODEL, Manifest, Origin, read_manifest, write_manifest
from avpipe.bundle.places import name_of, notice
from avpipe.bundle.trust import check_spec
from avpipe.config import Spec, instantiate
from avpipe.errors import ArgumentError, RunStopped
from avpipe.features import Preprocessor
from avpipe.files import folder_written_whole, sha256_of
from avpipe.networks import SequenceNetwork
from avpipe.objectives import Objective
from avpipe.windowing import Arrays, Windowing, quiet_sec


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle, proved and ready to answer."""

    name: str
    origin: Origin
    digest: str
    """SHA-256 of what determines answers."""
    preprocessor: Preprocessor
    network: nn.Module
    """A :class:`avpipe.networks.Network`, or one of another shape such as the denoising one."""
    objective: Objective
    device: torch.device
    precision: str = "32-true"
    """Of the numbers that its network computes with: one of :data:`avpipe.device.PRECISIONS`."""

    def answering(self, objective: Any) -> Self:
        """The same, with other answers."""
        return replace(self, objective=objective)

    @property
    def step_sec(self) -> float:
        """Seconds from one answer of the network to the next; 0 where it gives one a window."""
        network = self.network
        return network.step_sec(self.preprocessor) if isinstance(network, SequenceNetwork) else 0.0

    @property
    def quiet_sec(self) -> float:
        """Of silence at the edges of a recording."""
        return quiet_sec(self.windowing, self.objective.edge_silence_sec, self.step_sec)

    @property
    def windowing(self) -> Windowing:
        return self.preprocessor.windowing

    @property
    def senses(self) -> tuple[str, ...]:
        """Those by which its answers can be told apart; none where it has but one."""
        return senses_of(self.network)

    @property
    def made(self) -> Callable[[Arrays], Arrays]:
        """Makes features of a window's arrays."""
        return self.preprocessor.made

    @property
    def on_cpu(self) -> bool:
        return self.device.type == "cpu"

    @property
    def batch_size(self) -> int | None:
        """1 where windows are as long as they are; None: any."""
        return 1 if self.windowing.counts_frames else None

    def share(self, arrays: Arrays) -> int:
        """Of a window in parts of a full one."""
        return share_of(self, arrays)

    def computed(
        self, windows: Sequence[Arrays], size: int, share: int
    ) -> dict[tuple[str, ...], tuple[np.ndarray, np.ndarray | None]]:
        """What the network says of windows that were padded to one shape (:class:`avpipe.inference.model.Model`)."""
        return computed(self, windows, size, share)

    @property
    def notice(self) -> str:
        """What whoever uses it must know of its licence, as a line; empty where all uses are allowed."""
        return notice(self.name, self.origin)


def save_bundle(
    folder: Path,
    specs: Mapping[str, Spec],
    network: nn.Module,
    objective: Objective,
    origin: Origin,
    half: bool = False,
) -> None:
    """Write a bundle, whole or not at all; one that stands in the folder is replaced.

    Args:
        folder: to write.
        specs: plain data with ``_target_`` for ``preprocessor``, ``network`` and ``objective``.
        network: with its trained weights; put into eval mode.
        objective: as it was trained with.
        origin: told in the manifest and in the card.
        half: round the weights of convolutions and linear layers to 16 bits, in the file and in ``network``: half the
            size, and answers that differ in the fourth digit.

    Raises:
        BundleError: if a specification holds what a bundle may not build.
        RunStopped: if the disk has no room for it.
    """
    for name, spec in specs.items():
        check_spec(folder, name, spec)
    state = _state(network, objective)
    if half:
        state = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in state.items()}
        network.load_state_dict(_under(state, "network."))
    with _written_whole(folder) as part:
        (part / MODEL).write_bytes(save(state))  # its own way of writing files leaves others no right to read
        write_golden(part, instantiate(specs["preprocessor"]), network)
        write_manifest(part, specs, origin)


def record_metrics(folder: Path, metrics: Mapping[str, float]) -> None:
    """Enter measured scores into a bundle's manifest and card, into both or into neither."""
    manifest = read_manifest(folder)
    _rewrite(folder, manifest.specs, replace(manifest.origin, metrics=dict(metrics)))


def record_objective(folder: Path, spec: Spec) -> None:
    """Give a bundle another objective for the same outputs, such as a calibrated one."""
    manifest = read_manifest(folder)
    check_spec(folder, "objective", spec)
    _rewrite(folder, {**manifest.specs, "objective": spec}, manifest.origin)


def _rewrite(folder: Path, specs: Mapping[str, Spec], origin: Origin) -> None:
    with _written_whole(folder) as part:
        for file in (MODEL, GOLDEN):
            shutil.copyfile(folder / file, part / file)
        write_manifest(part, specs, origin)


@contextmanager
def _written_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write a bundle to; it gets the name ``folder`` when the block ends well."""
    try:
        with folder_written_whole(folder) as part:
            yield part
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        remedy = "make room on its disk and run the same command again"
        raise RunStopped(folder, "cannot be written whole", remedy) from error


def load_bundle(folder: Path, device: torch.device | None = None) -> Bundle:
    """Read, check, build and prove a bundle.

    Args:
        folder: of the bundle.
        device: to answer on; None: the CPU.

    Raises:
        BundleError: naming what is missing, changed, foreign, or differs from what it was when saved.
    """
    device = device or torch.device("cpu")
    manifest = read_manifest(folder)
    for name, digest in manifest.sha256.items():
        if not (folder / name).is_file():
            raise BundleError(folder / name, "missing from the bundle", "copy the bundle again")
        if sha256_of(folder / name) != digest:
            raise BundleError(folder / name, "changed since the bundle was saved", "copy the bundle again")
    preprocessor, network, objective = _build(folder, manifest)
    # On the CPU, wherever it is to answer: a GPU rounds its products by more than a file's damage may change.
    prove(folder, preprocessor, network.eval().requires_grad_(False))
    network.to(device)
    return Bundle(name_of(folder, manifest), manifest.origin, manifest.digest, preprocessor, network, objective, device)


def _build(folder: Path, manifest: Manifest) -> tuple[Preprocessor, nn.Module, Objective]:
    for name, spec in manifest.specs.items():
        check_spec(folder, name, spec)
    try:
        preprocessor, network, objective = (
            instantiate(manifest.specs[name]) for name in ("preprocessor", "network", "objective")
        )
        state = load_file(folder / MODEL)
        network.load_state_dict(_under(state, "network."))
        objective.load_state_dict(_under(state, "objective."))
    except (KeyError, RuntimeError, TypeError, SafetensorError, ArgumentError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BundleError(folder, f"cannot be built: {reason}", "copy the bundle again") from error
    outputs, answers = network.num_outputs, objective.num_outputs
    if outputs != answers:
        raise BundleError(folder, f"{outputs} outputs for {answers} labels", "copy the bundle again")
    return preprocessor, network, objective


def _state(network: nn.Module, objective: nn.Module) -> dict[str, Tensor]:
    return {
        f"{place}.{name}": tensor.detach().cpu().contiguous()
        for place, module in (("network", network), ("objective", objective))
        for name, tensor in module.state_dict().items()
    }


def _under(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
