"""torchvision's 3D CNNs over frames, without their heads."""

from collections import OrderedDict

from torch import Tensor, nn

from avpipe.networks.masking import strided, time_mask
from avpipe.networks.pretrained import PretrainedEncoder

_TIME_STRIDES = {"r3d_18": 8, "mc3_18": 1, "r2plus1d_18": 8, "s3d": 8}
_HEAD = ("avgpool", "fc", "classifier")


class TorchvisionEncoder3d(PretrainedEncoder):
    """A video network of torchvision up to its last convolution, and the mean over the picture; time is kept.

    Args:
        name: ``r3d_18``, ``mc3_18``, ``r2plus1d_18`` or ``s3d``.
        weights: what training begins with: ``none``, ``kinetics`` (torchvision's own file), or a file. Nothing is read
            here: training asks :attr:`weights` when it begins, and what a bundle builds has none to ask for.

    Reference:
        D. Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", 2018, arXiv:1711.11248
        (R3D, MC3, R(2+1)D); S. Xie et al., "Rethinking Spatiotemporal Feature Learning", 2017, arXiv:1712.04851 (S3D).
        Here frames behind an item's length are zeros when they go in, and a window is padded to whole steps, as S3D's
        pooling drops what is over; within a full window of whole steps the arithmetic is torchvision's.
    """

    library, published = "torchvision", "kinetics"

    def __init__(self, name: str, weights: str = "none") -> None:
        super().__init__()
        # Only who asks for one of these waits for the import.
        from torchvision.models import get_model

        if name not in _TIME_STRIDES:
            raise ValueError(f"name={name} is none of: {', '.join(_TIME_STRIDES)}")
        self.name = name
        self.weights = weights
        model = get_model(name, weights=None)
        parts = OrderedDict((part, layer) for part, layer in model.named_children() if part not in _HEAD)
        self.trunk = nn.Sequential(parts)
        self.time_stride = _TIME_STRIDES[name]
        self.out_dim = 1024 if name == "s3d" else 512

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 3, T, H, W); lengths: (B,) in frames.
            returns (B, out_dim, ceil(T / time_stride)) and lengths (B,) in its steps.
        """
        mask = time_mask(lengths, features.shape[2])[:, None, :, None, None].to(features.dtype)
        lacking = -features.shape[2] % self.time_stride
        x = self.trunk(nn.functional.pad(features * mask, (0, 0, 0, 0, 0, lacking)))
        return x.mean((3, 4)), strided(lengths, self.time_stride)

    def fitted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in state.items() if name.partition(".")[0] not in _HEAD}
