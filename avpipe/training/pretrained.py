"""Encoders that begin with weights of torchvision's networks."""

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from avpipe.config import Spec, instantiate, target_of
from avpipe.errors import ArgumentError
from avpipe.files import sha256_of
from avpipe.networks import TorchvisionEncoder3d

NONE, KINETICS = "none", "kinetics"


def check_pretrained(config: Mapping[str, Any]) -> None:
    """Refuse weights that are not there, before anything long is begun.

    Raises:
        ArgumentError: naming the file, and where it must be put.
    """
    for spec in _asked(config["network"]):
        if config["init_from"]:
            reason = "gives the weights of every layer, those of encoder.weights too"
            raise ArgumentError(f"init_from={config['init_from']}", reason, "leave one of the two out")
        encoder = instantiate(spec)  # which knows what it can be called
        weights_file(encoder.name, encoder.weights)


def without_pretrained(spec: Spec) -> Spec:
    """A network's specification for a bundle, which has all weights itself."""
    bare = {key: without_pretrained(part) if isinstance(part, Mapping) else part for key, part in spec.items()}
    return {**bare, "weights": NONE} if _has_weights(bare) else bare


def begin_pretrained(network: nn.Module) -> None:
    """Give each encoder of a network the weights that it is to begin with.

    Raises:
        ArgumentError: they are not to be had, or are those of another network; nothing is left out in silence.
    """
    for module in network.modules():
        if isinstance(module, TorchvisionEncoder3d) and module.weights not in (None, NONE):
            path = weights_file(module.name, module.weights)
            given = module.without_head(_read(path))
            _check_fits(module, given, path)
            # What is missing by now is no more than counts of batches, on which no answer depends.
            module.trunk.load_state_dict(given, strict=False)


def weights_file(name: str, weights: str) -> Path:
    """The file that ``encoder.weights`` means; nothing is downloaded.

    Args:
        name: of torchvision's network.
        weights: ``kinetics``, or a path.

    Raises:
        ArgumentError: it is not there, or it is torchvision's and not whole.
    """
    if weights != KINETICS:
        if not Path(weights).expanduser().is_file():
            choices = f"give a file, {KINETICS} or {NONE}"
            raise ArgumentError(f"encoder.weights={weights}", "no such file", choices)
        return Path(weights).expanduser()
    from torchvision.models import get_model_weights

    url = get_model_weights(name)["KINETICS400_V1"].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        reason = f"torchvision's file {path.name} is not in {path.parent}"
        raise ArgumentError(f"encoder.weights={KINETICS}", reason, f"get {url} and put it there")
    # As torch.hub has it: the name ends in the beginning of the content's SHA-256.
    if not sha256_of(path).startswith(path.stem.rpartition("-")[2]):
        raise ArgumentError(path, "is not whole: its SHA-256 is not that in its name", f"get {url} again")
    return path


def _asked(node: Any) -> Iterator[Spec]:
    """Each encoder in a specification that is to begin with weights."""
    if isinstance(node, Mapping):
        if _has_weights(node):
            yield node
        for part in node.values():
            yield from _asked(part)


def _has_weights(node: Mapping[str, Any]) -> bool:
    wanted = node.get("weights") not in (None, NONE)
    return wanted and "_target_" in node and target_of(node) is TorchvisionEncoder3d


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name; a file of pickles may hold nothing else."""
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, Mapping) and all(isinstance(tensor, Tensor) for tensor in state.values()):
            return dict(state)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile):
        pass  # whatever is wrong with it, the remedy is the same
    remedy = "give a .pth or .pt that holds nothing but tensors by name, or a .safetensors"
    raise ArgumentError(f"encoder.weights={path}", "is no file of weights, or not whole", remedy)


def _check_fits(encoder: TorchvisionEncoder3d, given: Mapping[str, Tensor], path: Path) -> None:
    wanted = encoder.trunk.state_dict()
    for layer in {**wanted, **given}:
        counts = layer.endswith(".num_batches_tracked") and layer not in given
        if not counts and (layer not in wanted or layer not in given or wanted[layer].shape != given[layer].shape):
            reason = f"holds other weights than those of {encoder.name}, first in {layer}"
            raise ArgumentError(f"encoder.weights={path}", reason, f"give the weights of torchvision's {encoder.name}")
