"""torchvision's 2D CNNs over spectrograms and frames, without their heads."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from avpipe.errors import ArgumentError
from avpipe.networks.pictures import as_pictures, as_sequence, check_size, is_film
from avpipe.networks.pretrained import PretrainedEncoder, first_summed

_NETWORKS = {
    "alexnet": (256, 63),
    "vgg16": (512, 32),
    "vgg16_bn": (512, 32),
    **{f"resnet{depth}": (512, 1) for depth in (18, 34)},
    **{f"resnet{depth}": (2048, 1) for depth in (50, 101, 152)},
    "googlenet": (1024, 15),
    "inception_v3": (2048, 75),
    "densenet121": (1024, 29),
    "densenet169": (1664, 29),
    "mobilenet_v2": (1280, 1),
    "mobilenet_v3_small": (576, 1),
    "mobilenet_v3_large": (960, 1),
    **{
        f"efficientnet_b{number}": (channels, 1)
        for number, channels in enumerate((1280, 1280, 1408, 1536, 1792, 2048, 2304, 2560))
    },
    "efficientnet_v2_s": (1280, 1),
}
"""Channels of the last map, and the least height and width in pixels."""
_HEAD = ("avgpool", "dropout", "fc", "classifier", "aux1", "aux2", "AuxLogits")
_TAPS = {
    "googlenet": {"aux1": ("inception4a", 512), "aux2": ("inception4d", 528)},
    "inception_v3": {"AuxLogits": ("Mixed_6e", 768)},
}
"""Behind which layers the authors have heads that are trained besides, and how many channels these see."""


class TorchvisionEncoder2d(PretrainedEncoder):
    """A network of torchvision up to its last map, on a spectrogram as one picture or on each frame by itself.

    Of a spectrogram the mean over frequency is taken and time is kept, a step for 32 frames; of a frame the mean over
    the picture. What torchvision has behind its last map (the fully connected layers of AlexNet and VGG, which are
    nine tenths of their weights and see pictures of one size; the last convolution of MobileNet V3) is head, and left
    out: pooling, fusion and the head of the network that this encoder is part of stand in its place.

    Args:
        name: ``alexnet``, ``vgg16``, ``vgg16_bn``, ``resnet18``, ``34``, ``50``, ``101``, ``152``, ``googlenet``,
            ``inception_v3``, ``densenet121``, ``169``, ``mobilenet_v2``, ``mobilenet_v3_small``, ``_large``,
            ``efficientnet_b0`` to ``b7``, or ``efficientnet_v2_s``.
        in_channels: 1, a spectrogram, or 3, frames.
        weights: what training begins with: ``none``, ``imagenet`` (torchvision's own file), or a file; the kernels of
            the first convolution are summed for one channel. Nothing is read here.
        auxiliary: train the heads of GoogLeNet and Inception v3 that look at maps half-way up, too; see :attr:`taps`.

    Reference:
        A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, arXiv:1404.5997
        (AlexNet); K. Simonyan, A. Zisserman, 2014, arXiv:1409.1556 (VGG); K. He et al., 2015, arXiv:1512.03385
        (ResNet; torchvision's strides stand in the 3x3 convolutions); C. Szegedy et al., 2014, arXiv:1409.4842
        (GoogLeNet; torchvision's has BatchNorm) and 2015, arXiv:1512.00567 (Inception v3); G. Huang et al., 2016,
        arXiv:1608.06993 (DenseNet); M. Sandler et al., 2018, arXiv:1801.04381, and A. Howard et al., 2019,
        arXiv:1905.02244 (MobileNet V2, V3); M. Tan, Q. Le, 2019, arXiv:1905.11946, and 2021, arXiv:2104.00298
        (EfficientNet, V2). Here frames behind an item's length are zeros when they go in and their steps are not
        pooled; the squeeze-and-excitations of the last two families see them, so a recording that is shorter than its
        window is judged within it.
    """

    library, published = "torchvision", "imagenet"

    def __init__(self, name: str, in_channels: int = 1, weights: str = "none", auxiliary: bool = True) -> None:
        super().__init__()
        if name not in _NETWORKS:
            raise ArgumentError(f"encoder.name={name}", "no such network", f"choose from: {', '.join(_NETWORKS)}")
        self.name, self.weights = name, weights
        self.out_dim, self.least_px = _NETWORKS[name]
        self.time_stride = 32
        self.taps = {tap: channels for tap, (_, channels) in _TAPS.get(name, {}).items()} if auxiliary else {}
        """Channels of the maps that heads beside the network's own are to see in training."""
        self.trunk = _trunk(name)
        if in_channels != 3:
            _give_channels(self.trunk, in_channels)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 1, n_mels, frames) or (B, 3, T, H, W); lengths: (B,) in frames.
            returns (B, out_dim, steps), about frames / 32 of them or T, and lengths (B,) in these.

        Raises:
            ArgumentError: the pictures are too small, naming the least size.
        """
        return as_sequence(self.trunk(self._pictures(features, lengths)), features, lengths)

    def with_taps(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The same, and the maps (N, channels, height, width) at each of :attr:`taps`."""
        layers = {layer: tap for tap, (layer, _) in _TAPS.get(self.name, {}).items()}
        maps, tapped = self._pictures(features, lengths), {}
        for layer, module in self.trunk.named_children():
            maps = module(maps)
            if layers.get(layer) in self.taps:
                tapped[layers[layer]] = maps
        return *as_sequence(maps, features, lengths), tapped

    def _pictures(self, features: Tensor, lengths: Tensor) -> Tensor:
        pictures = as_pictures(features, lengths)
        check_size(self.name, pictures, self.least_px)
        if self.name in _TAPS and is_film(features):
            # As torchvision has it for these two: their published weights know pictures from -1 to 1.
            scale, shift = (
                pictures.new_tensor(values)[:, None, None]
                for values in ((0.458, 0.448, 0.450), (-0.030, -0.088, -0.188))
            )
            pictures = pictures * scale + shift
        return pictures

    def fitted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        own = {layer: tensor for layer, tensor in state.items() if layer.partition(".")[0] not in _HEAD}
        return first_summed(self.trunk, own)


def _trunk(name: str) -> nn.Sequential:
    # Only who asks for one of these waits for the import.
    from torchvision.models import get_model

    # Without the first, two of them would say that their weights are drawn slowly.
    tapped: dict[str, Any] = {"init_weights": True, "aux_logits": False} if name in _TAPS else {}
    model = get_model(name, weights=None, **tapped)
    parts = OrderedDict((part, layer) for part, layer in model.named_children() if part not in _HEAD)
    if name.startswith("densenet"):
        parts["relu"] = nn.ReLU(inplace=True)  # which torchvision's has in its forward
    return nn.Sequential(parts)


def _give_channels(trunk: nn.Module, channels: int) -> None:
    """Let the first convolution see so many channels in place of three: its kernels are their sums, shared out."""
    place, first = next((name, module) for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d))
    parent, _, own = place.rpartition(".")
    changed = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type]
        first.stride,  # type: ignore[arg-type]
        first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    changed.weight.data.copy_(first.weight.data.sum(1, keepdim=True).expand_as(changed.weight) / channels)
    if first.bias is not None and changed.bias is not None:
        changed.bias.data.copy_(first.bias.data)
    setattr(trunk.get_submodule(parent), own, changed)
