"""The first CNN that read cheques."""

import torch
from torch import Tensor, nn

from avpipe.errors import ArgumentError
from avpipe.networks.pictures import as_pictures, as_sequence, is_film, too_small

_SIDE_PX = 32
_STRIDE_PX = 4


class LeNet5(nn.Module):
    """LeNet-5 up to its layer F6, on each frame, or gliding along a spectrogram as it glides along a line of digits.

    A frame is shrunk to its 32x32. A spectrogram is shrunk to 32 bands, and in time by the same factor; each 32x32 of
    it gives a vector, one for every four columns. As the layer C5 sees all of its 5x5 map, both are one network.

    With one channel, a mean over time and 10 outputs it has 61 706 parameters.

    Args:
        in_channels: 1, a spectrogram, or 3, frames.

    Reference:
        Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998,
        Proceedings of the IEEE 86(11); its section VII glides likewise. What differs from 1998: C3 sees all six maps
        in each of its sixteen (2416 parameters for 1516: their table of connections saved time and broke symmetry);
        subsampling is a plain mean, without a trained factor, bias and squashing of its own; the activation is tanh
        without their scale; and the output is the network's linear head, not distances to drawn digits.
    """

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.s2 = nn.AvgPool2d(2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.s4 = nn.AvgPool2d(2)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Conv2d(120, 84, 1)
        self.squash = nn.Tanh()
        self.out_dim = 84
        self.time_stride = 2 * _STRIDE_PX
        """Frames a step, of 64 bands."""

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            features: (B, 1, n_mels, frames) or (B, 3, T, H, W); lengths: (B,) in frames.
            returns (B, 84, (32 * frames / n_mels - 32) / 4 + 1 or T) and lengths (B,) in these.

        Raises:
            ArgumentError: frames have less than 32x32 pixels, or the window has less than 32 bands or fewer frames
                than bands, of which not one 32x32 can be made.
        """
        pictures = as_pictures(features, lengths)
        height, width = pictures.shape[2:]
        if min(height, width) < _SIDE_PX:
            raise too_small("lenet5", pictures, f"{_SIDE_PX}x{_SIDE_PX}")
        columns = _SIDE_PX if is_film(features) else _rounded(_SIDE_PX * width, height)
        if columns < _SIDE_PX:
            given = f"needs as many frames as bands, and not {height} bands and {width} frames"
            remedy = "give fewer bands (preprocess.audio.n_mels), or longer windows (preprocess.window_sec)"
            raise ArgumentError("encoder lenet5", given, remedy)
        if torch.onnx.is_in_onnx_export():  # a graph that is drawn: of products it can have any number of columns
            shrunk = _averages(height, _SIDE_PX, pictures).T @ pictures @ _averages(width, columns, pictures)
        else:
            shrunk = nn.functional.interpolate(pictures, (_SIDE_PX, columns), mode="area")
        maps = self.s4(self.squash(self.c3(self.s2(self.squash(self.c1(shrunk))))))
        sequence, steps = as_sequence(self.squash(self.f6(self.squash(self.c5(maps)))), features, lengths)
        if is_film(features):
            return sequence, steps
        # Only what has seen no padding, but for an item that is shorter than one 32x32.
        heard = (lengths * columns) // width
        return sequence, ((heard - _SIDE_PX) // _STRIDE_PX + 1).clamp(1, sequence.shape[2])


def _rounded(above: int, below: int) -> int:
    """``round(above / below)`` in whole numbers, which can be followed when a graph is drawn."""
    return (2 * above + below - 1 + above // below % 2) // (2 * below)


def _averages(before: int, after: int, like: Tensor) -> Tensor:
    """Weights of the means by which so many places become fewer, as interpolation by area takes them.

    Shape:
        returns (before, after).
    """
    places, means = (torch.arange(count, device=like.device) for count in (before, after))
    first, end = means * before // after, ((means + 1) * before + after - 1) // after
    within = (places[:, None] >= first) & (places[:, None] < end)
    return within.to(like.dtype) / (end - first).to(like.dtype)
