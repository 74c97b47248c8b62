"""What a bundle may build: parts of networks, and nothing else."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from avpipe.bundle.errors import BundleError
from avpipe.config import target_of
from avpipe.errors import ArgumentError

_SEARCHED = ("avpipe.networks.", "avpipe.objectives.", "avpipe.features.", "torch.nn.", "torchvision.models.")
_DEFINED_IN = ("avpipe.networks.", "avpipe.objectives.", "avpipe.features.", "torch.nn.modules.")


def check_spec(folder: Path, place: str, node: object) -> None:
    """Refuse anything in a specification but plain data and parts of networks.

    Args:
        folder: the bundle's, for the error.
        place: of the node in the specification, for the error.
        node: the specification, or a part of it.

    Raises:
        BundleError: naming the place and what stands there.
    """
    if isinstance(node, Mapping):
        extra = [key for key in node if str(key).startswith("_") and key not in ("_target_", "_partial_")]
        if extra:
            raise BundleError(folder, f"{place}.{extra[0]} is no key of a bundle", "do not trust this bundle")
        if "_target_" in node:
            _check_target(folder, place, node)
        for key, value in node.items():
            check_spec(folder, f"{place}.{key}", value)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            check_spec(folder, f"{place}[{index}]", value)
    elif isinstance(node, str) and "${" in node:
        raise BundleError(folder, f"{place} refers to something outside the bundle", "do not trust this bundle")


def _check_target(folder: Path, place: str, node: Mapping[str, Any]) -> None:
    name = str(node["_target_"])
    foreign = BundleError(folder, f"{place} names {name}, which a bundle may not build", "do not trust this bundle")
    # Resolving imports modules, and importing runs code: only these places are searched at all ...
    if not name.startswith(_SEARCHED):
        raise foreign
    try:
        target = target_of(node)
    except ArgumentError as error:
        raise foreign from error
    # ... and what was found must itself be defined in one of ours, whatever name led to it.
    if isinstance(target, type):
        permitted = issubclass(target, nn.Module) and f"{target.__module__}.".startswith(_DEFINED_IN)
    else:
        downloads = node.get("weights") is not None or node.get("weights_backbone") is not None
        permitted = target in _torchvision_builders() and not downloads
    if not permitted:
        raise foreign


@cache
def _torchvision_builders() -> frozenset[Any]:
    import torchvision.models

    return frozenset(torchvision.models.get_model_builder(name) for name in torchvision.models.list_models())
