"""A bundle's network on batches of one shape."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from avpipe.device import PRECISIONS
from avpipe.features import TIME_AXIS, collate
from avpipe.networks import Ensemble, Network, Output, ignores_padding
from avpipe.windowing import Arrays

if TYPE_CHECKING:
    from avpipe.bundle.store import Bundle

_SHARES = 8
"""Of a full window: a shorter one is padded to the next of so many lengths."""


def share_of(bundle: "Bundle", arrays: Arrays) -> int:
    """How many parts of a full window are computed: as many as it needs, where the network ignores padding."""
    if bundle.windowing.counts_frames or not ignores_padding(bundle.network):
        return _SHARES
    full = _steps(bundle)
    needed = max(array.shape[TIME_AXIS[sense]] / full[sense] for sense, array in arrays.items())
    return min(_SHARES, ceil(_SHARES * needed))


def computed(
    bundle: "Bundle", windows: Sequence[Arrays], size: int, share: int
) -> dict[tuple[str, ...], tuple[np.ndarray, np.ndarray | None]]:
    """Scores, by the senses that they were made of; of a network of one sense by none."""
    # The shape is always the same, so that the same arithmetic is done for a window wherever it stands.
    features = [{sense: torch.from_numpy(array) for sense, array in arrays.items()} for arrays in windows]
    if bundle.windowing.counts_frames:
        steps = {sense: value.shape[TIME_AXIS[sense]] for sense, value in features[0].items()}
    else:
        features += [{}] * (size - len(windows))
        steps = {sense: ceil(share * full / _SHARES) for sense, full in _steps(bundle).items()}
    batch, lengths = collate(features, steps)
    moved = [{sense: _moved(value, bundle.device) for sense, value in part.items()} for part in (batch, lengths)]
    numbers = PRECISIONS[bundle.precision]
    kind = None if numbers is None else getattr(torch, numbers)
    with torch.inference_mode(), torch.autocast(bundle.device.type, kind, enabled=kind is not None):
        said: dict[tuple[str, ...], Output] = (
            cast(Network, bundle.network).answers_by_senses(*moved)
            if len(bundle.senses) > 1
            else {(): bundle.network(*moved)}
        )
        return {used: _arrays(bundle, output) for used, output in said.items()}


def _moved(value: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the device; a GPU copies from pinned memory while it computes what came before."""
    return value.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else value.to(device)


def senses_of(network: torch.nn.Module) -> tuple[str, ...]:
    """Those by which its answers can be told apart; none where it has but one."""
    return network.senses if isinstance(network, Network | Ensemble) and len(network.senses) > 1 else ()


def _arrays(bundle: "Bundle", output: Output) -> tuple[np.ndarray, np.ndarray | None]:
    lengths = None if output.lengths is None else output.lengths.cpu().numpy()
    return bundle.objective.scores(output.value.float()).cpu().numpy(), lengths


def _steps(bundle: "Bundle") -> dict[str, int]:
    """Length of each sense's time axis in a full window, with the silence at both edges of a file."""
    edges_sec = 2.0 * bundle.quiet_sec
    preprocessor = bundle.preprocessor
    return {
        sense: steps + round(edges_sec / preprocessor.frame_sec(sense))
        for sense, steps in preprocessor.window_steps.items()
    }
