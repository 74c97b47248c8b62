"""Where in its pictures and sounds a network saw and heard what it answered."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.bundle import Bundle
from avpipe.errors import ArgumentError
from avpipe.features import TIME_AXIS, Features, collate
from avpipe.networks import Network
from avpipe.objectives import Classification

DEFAULT_COUNT = 4


def count_explained(asked: object, bundle: Bundle) -> int:
    """How many of the worst and of the best answers ``explain=`` asks for; 0: none.

    Raises:
        ArgumentError: it is no number, the bundle tells no labels, or captum is not installed.
    """
    if asked is None or asked is False:
        return 0
    if type(asked) not in (bool, int) or cast(int, asked) < 1:
        raise ArgumentError(f"explain={asked}", "is no number of answers", "give true, or 1 or more")
    if not isinstance(bundle.objective, Classification):
        raise ArgumentError(f"explain={asked}", f"bundle {bundle.name} tells no labels apart", "leave it out")
    if find_spec("captum") is None:
        raise ArgumentError(f"explain={asked}", "captum is not installed", 'pip install "avpipe[explain]"')
    return DEFAULT_COUNT if asked is True else cast(int, asked)


class GradCam:
    """What of a window's features spoke for a label, by gradient-weighted class activation mapping.

    Args:
        bundle: of a classification; of an ensemble the mean of its networks' maps is taken.

    Reference:
        R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        2016, arXiv:1610.02391, by captum. Taken at the last layer that still has places, over time as over space.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.networks = [module for module in bundle.network.modules() if isinstance(module, Network)]

    def __call__(self, features: Features, label: str) -> Mapping[str, np.ndarray]:
        """A map by sense, 0 where nothing spoke for the label, 1 where most did; of a sense without places none.

        Shape:
            features: those of one window; returns "audio": (n_mels, frames), "video": (T, H, W), float32.
        """
        place = cast(Classification, self.bundle.objective).labels.index(label)
        parts = collate([features], self.bundle.preprocessor.window_steps)
        batch, lengths = ({sense: value.to(self.bundle.device) for sense, value in part.items()} for part in parts)
        maps = {}
        for sense in batch:
            found = []
            for network in self.networks:
                heat = _heat(network, sense, batch, lengths, place)
                if heat is not None:
                    heat = heat.narrow(TIME_AXIS[sense] - 1, 0, int(lengths[sense]))
                    found.append(_to_one(heat))
            if found:
                maps[sense] = _to_one(torch.stack(found).mean(0)).cpu().numpy()
        return maps


def _to_one(heat: Tensor) -> Tensor:
    """The same with 1 for its greatest value; where nothing spoke, it stays 0."""
    return heat / heat.max().clamp_min(1e-12)


def _heat(network: Network, sense: str, batch: Features, lengths: dict[str, Tensor], place: int) -> Tensor | None:
    """The map of one network at the size of a sense's features; None where none of its layers has places."""
    from captum.attr import LayerGradCam

    def outputs(value: Tensor) -> Tensor:
        return network({**batch, sense: value}, lengths).value

    if sense not in network.encoders:
        return None
    layer = _last_layer_with_places(network.encoders[sense], lambda: outputs(batch[sense]))
    if layer is None:
        return None
    given = batch[sense].detach().clone().requires_grad_()
    heat = LayerGradCam(outputs, layer).attribute(given, target=place, relu_attributions=True).detach()
    # One channel of one item, or of one frame an item where each went through by itself.
    heat = heat[None, None, :, 0] if heat.ndim < given.ndim else heat
    mode = "trilinear" if heat.ndim == 5 else "bilinear"
    return nn.functional.interpolate(heat, size=given.shape[2:], mode=mode, align_corners=False)[0, 0]


def _last_layer_with_places(encoder: nn.Module, run: Callable[[], Tensor]) -> nn.Module | None:
    """The last part of an encoder to finish whose output is (B or B * T, channels, ..., height, width)."""
    finished: list[nn.Module] = []

    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim >= 4:
            finished.append(module)

    handles = [module.register_forward_hook(note) for module in encoder.modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return finished[-1] if finished else None
