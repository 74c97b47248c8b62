"""Any picture network of timm over spectrograms and frames, without its head."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from avpipe.errors import ArgumentError
from avpipe.networks.pictures import as_pictures, as_sequence, too_small
from avpipe.networks.pretrained import PretrainedEncoder, first_summed

_LARGEST_PX = 1024


class TimmEncoder2d(PretrainedEncoder):
    """A network of timm up to its last map, on a spectrogram as one picture or on each frame by itself.

    As :class:`TorchvisionEncoder2d` otherwise. What ends in tokens (vision transformers) is laid out as a map again;
    networks that take pictures of one size only are refused by that size.

    Args:
        name: as ``timm.list_models()`` has it; nothing is ever looked for on a hub.
        in_channels: 1, a spectrogram, or 3, frames.
        weights: what training begins with: ``none``, or a file with timm's names.

    Raises:
        ArgumentError: timm is not installed, or knows no such network.

    Reference:
        R. Wightman, "PyTorch Image Models", github.com/huggingface/pytorch-image-models, which names each paper.
    """

    library = "timm"

    def __init__(self, name: str, in_channels: int = 1, weights: str = "none") -> None:
        super().__init__()
        _check_name(name)
        self.name, self.weights = name, weights
        self.trunk = _trunk(name, in_channels)
        self.heads = _drop_heads(self.trunk, in_channels)
        self.out_dim = cast(int, self.trunk.num_features)
        self.time_stride = int(getattr(self.trunk, "feature_info", [{}])[-1].get("reduction", 32))

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 1, n_mels, frames) or (B, 3, T, H, W); lengths: (B,) in frames.
            returns (B, out_dim, steps), of frames T, and lengths (B,) in these.

        Raises:
            ArgumentError: the pictures are too small, naming the least size.
        """
        pictures = as_pictures(features, lengths)
        try:
            maps = self._maps(pictures)
        except (RuntimeError, AssertionError) as error:
            raise self._refused(pictures, error) from error
        return as_sequence(maps, features, lengths)

    def _maps(self, pictures: Tensor) -> Tensor:
        """(N, out_dim, height, width), whatever layout the network has."""
        said: Tensor = self.trunk.forward_features(pictures)  # type: ignore[operator]
        if said.ndim == 3:
            said = said[:, getattr(self.trunk, "num_prefix_tokens", 0) :].transpose(1, 2)
            patch_px = cast(tuple[int, int], cast(nn.Module, self.trunk.patch_embed).patch_size)[0]
            return said.reshape(*said.shape[:2], -(-pictures.shape[2] // patch_px), -1)
        return said if said.shape[1] == self.out_dim else said.permute(0, 3, 1, 2)

    def _refused(self, pictures: Tensor, error: Exception) -> Exception:
        """A line for pictures that are too small or of a size that the network does not take; else the error."""
        fixed = self.trunk.default_cfg if isinstance(self.trunk.default_cfg, dict) else {}
        if fixed.get("fixed_input_size"):
            height, width = fixed["input_size"][1:]
            return ArgumentError(f"encoder {self.name}", f"takes pictures of {height}x{width} only", "choose another")
        least = self._least_px(pictures)
        if least is None or min(pictures.shape[2:]) >= least:
            return error
        return too_small(self.name, pictures, f"{least}x{least}")

    @torch.no_grad()
    def _least_px(self, like: Tensor) -> int | None:
        """The least side of a square that it takes, by trial; None: none of those tried."""
        training = self.training
        self.eval()
        below, above = 0, 1
        while not self._takes(like.new_zeros(1, like.shape[1], above, above)):
            below, above = above, 2 * above
            if below >= _LARGEST_PX:
                return None
        while above - below > 1:
            middle = (below + above) // 2
            if self._takes(like.new_zeros(1, like.shape[1], middle, middle)):
                above = middle
            else:
                below = middle
        self.train(training)
        return above

    def _takes(self, pictures: Tensor) -> bool:
        try:
            return self._maps(pictures).numel() > 0
        except (RuntimeError, AssertionError):
            return False

    def fitted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        names = self.trunk.default_cfg["classifier"]  # type: ignore[index]
        heads = tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names or ())) + self.heads
        return first_summed(self.trunk, {layer: each for layer, each in state.items() if not layer.startswith(heads)})


def _check_name(name: str) -> None:
    try:
        import timm
    except ImportError as error:
        raise ArgumentError("encoder=timm", "needs timm", 'pip install "avpipe[timm]"') from error
    # Whatever is no plain name would be a place to load code and weights from.
    if not timm.is_model(name) or ":" in name or "/" in name:
        near = timm.list_models(f"*{name.partition('_')[0].partition('.')[0]}*")[:8] or timm.list_models("resnet*")[:8]
        reason = "timm knows no such network"
        raise ArgumentError(
            f"encoder.name={name}", reason, f"choose from timm.list_models(), such as {', '.join(near)}"
        )


def _trunk(name: str, in_channels: int) -> nn.Module:
    import timm

    settings: dict[str, Any] = {"pretrained": False, "in_chans": in_channels, "num_classes": 0, "global_pool": ""}
    try:  # transformers that can interpolate their positions take pictures of any size
        return timm.create_model(name, **settings, dynamic_img_size=True, dynamic_img_pad=True)
    except TypeError:
        return timm.create_model(name, **settings)


@torch.no_grad()
def _drop_heads(trunk: nn.Module, in_channels: int) -> tuple[str, ...]:
    """Take away the layers that a network has behind its last map; returns what their tensors' names begin with."""
    called: set[str] = set()
    handles = [
        child.register_forward_pre_hook(lambda *_, name=name: called.add(name))
        for name, child in trunk.named_modules()
        if name
    ]
    training = trunk.training
    size = trunk.default_cfg["input_size"][1:]  # type: ignore[index]
    trunk.eval().forward_features(torch.zeros(1, in_channels, *size))  # type: ignore[operator]
    trunk.train(training)
    for handle in handles:
        handle.remove()
    seen = {name.partition(".")[0] for name in called}
    heads = [
        name for name, child in trunk.named_children() if name not in seen and any(True for _ in child.parameters())
    ]
    for name in heads:
        setattr(trunk, name, nn.Identity())
    return tuple(f"{name}." for name in heads)
