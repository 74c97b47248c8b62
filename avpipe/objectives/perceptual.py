"""How much worse a listener finds a sound than the clean one."""

import math

import torch
from torch import Tensor, nn

WINDOW_LENGTH = 512
"""Samples of the spectra, at ``SAMPLE_RATE``."""

SAMPLE_RATE = 16_000
"""Hz, that the bands are laid out for."""

_LEVEL = 1e7
"""Mean square from 325 to 3250 Hz that sounds are brought to."""

_LEVEL_BAND_HZ = (325.0, 3250.0)

_HANN_SHARE = 0.75
"""Mean square of a Hann window by that of its root, which :class:`avpipe.networks.Stft` uses."""

# fmt: off
_BINS = (
    1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 3, 4, 5, 4, 5, 6, 6, 7,
    8, 9, 9, 12, 12, 15, 16, 18, 21, 25, 20,
)
"""Of each band, from 0 Hz upwards."""

_CENTRES_BARK = (
    0.079, 0.316, 0.637, 0.961, 1.290, 1.624, 1.963, 2.306, 2.653, 3.006, 3.363, 3.725, 4.092, 4.464, 4.842, 5.224,
    5.611, 6.003, 6.401, 6.804, 7.212, 7.626, 8.045, 8.469, 8.899, 9.335, 9.776, 10.223, 10.676, 11.135, 11.600,
    12.070, 12.547, 13.029, 13.518, 14.013, 14.515, 15.022, 15.536, 16.057, 16.584, 17.117, 17.658, 18.204, 18.758,
    19.319, 19.887, 20.461, 21.043,
)

_WIDTHS_BARK = (0.1573, *(0.3184 + 0.004313 * place + 2.883e-5 * place**2 for place in range(48)))

_CORRECTIONS = (
    100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 50.0, 100.0, 100.0, 100.0, 100.0, 100.0, 53.05, 110.0,
    117.99, 65.0, 68.76, 70.0, 71.43, 75.0, 76.84, 80.97, 88.65, 63.86, 68.16, 72.55, 75.58, 58.38, 80.95, 64.14,
    54.38, 73.82, 64.44, 59.18, 65.52, 61.4, 58.14, 57.0, 64.13, 54.31, 61.11, 55.08, 56.85, 55.63, 53.14, 54.99, 79.55,
)
"""Of the powers of the bands, which hold whole bins."""

_THRESHOLDS = (
    51286152.0, 2454709.5, 70794.59, 4897.79, 1174.9, 389.05, 104.71, 45.71, 17.78, 9.772, 4.898, 3.09, 1.905, 1.259,
    0.9772, 0.7244, 0.5623, 0.4571, 0.389, 0.3311, 0.2951, 0.2692, 0.257, 0.2512, 0.2512, 0.2512, 0.2512, 0.263, 0.2884,
    0.309, 0.3388, 0.3715, 0.3981, 0.4365, 0.4677, 0.4898, 0.5012, 0.5012, 0.5129, 0.5248, 0.5248, 0.5248, 0.5129,
    0.4786, 0.4266, 0.3715, 0.3631, 0.4169, 0.537,
)
"""Powers of the bands that are just heard."""
# fmt: on

_POWER_SCALE = 6.910853e-6
_LOUDNESS_SCALE = 0.1866055

_SPAN = 20
"""Frames over which disturbances are gathered, every half of it anew: a third of a second."""

_TINY = 1e-9
"""Below roots, whose slope at 0 has no end."""


class PerceptualDistance(nn.Module):
    """The disturbances that PESQ weighs, of spectra that lie above each other: 0 where a listener hears no difference.

    Both sounds are brought to one level and to what an ear hears of it: loudness in 49 bands. Steady differences of
    colour and of level are mostly forgiven. What is left counts within a frame, more where something was added than
    where something is missing, and the worst frames of each third of a second count most. In true PESQ the mean
    opinion falls with it. There are no gradients where both spectra are silent.

    Reference:
        ITU-T Recommendations P.862, 2001, and P.862.2, 2007 (the tables, the constants and the order of the steps);
        J. M. Martin-Donas et al., "A Deep Learning Loss Function Based on the Perceptual Evaluation of the Speech
        Quality", IEEE Signal Processing Letters 25(11), 2018 (as a loss). Here without alignment in time, over the root
        of a Hann window, with the level taken from the spectra, and without the step to the opinion's scale.
    """

    def __init__(self) -> None:
        super().__init__()
        bins = WINDOW_LENGTH // 2
        hz = torch.arange(bins + 1) * (SAMPLE_RATE / WINDOW_LENGTH)
        low_hz, high_hz = _LEVEL_BAND_HZ
        weights = torch.zeros(bins + 1, len(_BINS))
        first = 0
        for band, (number, correction) in enumerate(zip(_BINS, _CORRECTIONS, strict=True)):
            weights[first : first + number, band] = correction * _POWER_SCALE * _LEVEL
            first += number
        weights *= _HANN_SHARE * WINDOW_LENGTH**2 / 4.0 * _emphasis(hz)[:, None]
        weights[0] = 0.0
        thresholds = torch.tensor(_THRESHOLDS)
        exponents = 0.23 * (6.0 / (torch.tensor(_CENTRES_BARK) + 2.0)).clamp(1.0, 2.0) ** 0.15
        widths = torch.tensor(_WIDTHS_BARK)[1:]  # the lowest band disturbs no one
        self.register_buffer("in_level", ((hz >= low_hz) & (hz <= high_hz)).float(), persistent=False)
        self.register_buffer("bands", weights, persistent=False)
        self.register_buffer("thresholds", thresholds, persistent=False)
        self.register_buffer("exponents", exponents, persistent=False)
        self.register_buffer("widths", widths, persistent=False)

    in_level: Tensor
    bands: Tensor
    thresholds: Tensor
    exponents: Tensor
    widths: Tensor

    def forward(self, said: Tensor, true: Tensor) -> Tensor:
        """
        Shape:
            said, true: (B, T, 257), the squared moduli of :class:`avpipe.networks.Stft`; returns (B,).
        """
        said, true = self._heard(said), self._heard(true)
        spoken = self._audible(true, 100.0).sum(2) >= _LEVEL
        means = [(self._audible(each, 100.0) * spoken[..., None]).mean(1, keepdim=True) for each in (said, true)]
        true = true * ((means[0] + 1e3) / (means[1] + 1e3)).clamp(0.01, 100.0)
        ratio = (self._audible(true, 1.0).sum(2) + 5e3) / (self._audible(said, 1.0).sum(2) + 5e3)
        ratio = torch.cat([ratio[:, :1], 0.8 * ratio[:, 1:] + 0.2 * ratio[:, :-1]], 1).clamp(3e-4, 5.0)
        said = said * ratio[..., None]
        loud, meant = self._loudness(said), self._loudness(true)
        difference = loud - meant
        beyond = (difference.abs() - 0.25 * torch.minimum(loud, meant)).clamp_min(0.0)[..., 1:]
        added = ((said + 50.0) / (true + 50.0))[..., 1:].pow(1.2)
        added = torch.where(added < 3.0, 0.0, added.clamp_max(12.0))
        whole = self.widths.sum()
        both = (self.widths * beyond).square().sum(2).add(_TINY).sqrt() * whole.sqrt()
        more = (self.widths * beyond * added).sum(2)
        weight = ((self._audible(true, 1.0).sum(2) + 1e5) / 1e7) ** 0.04
        both, more = ((each / weight).clamp_max(45.0) for each in (both, more))
        return 0.1 * _gathered(both) + 0.0309 * _gathered(more)

    def _heard(self, power: Tensor) -> Tensor:
        """(B, T, 49): the powers of the bands, of a sound of one level."""
        level = (power * self.in_level).sum(2).mean(1)
        bands: Tensor = (power / (level[:, None, None] + _TINY)) @ self.bands
        return bands

    def _audible(self, bands: Tensor, factor: float) -> Tensor:
        return bands * (bands > factor * self.thresholds)

    def _loudness(self, bands: Tensor) -> Tensor:
        relative = (bands / self.thresholds).clamp_min(1.0)
        scale = _LOUDNESS_SCALE * (2.0 * self.thresholds) ** self.exponents
        return scale * ((0.5 + 0.5 * relative) ** self.exponents - 1.0)


def _emphasis(hz: Tensor) -> Tensor:
    """The power response of the filter that stands for a headphone: what lies below 100 Hz is hardly heard."""
    z = torch.polar(torch.ones_like(hz), -2.0 * math.pi * hz / SAMPLE_RATE)
    return ((2.740826 - 5.4816519 * z + 2.740826 * z**2) / (1.0 - 1.9444777 * z + 0.94597794 * z**2)).abs() ** 2


def _gathered(disturbances: Tensor) -> Tensor:
    """(B,) from (B, T): over short spans the worst count most, over all of them the mean power."""
    span = min(_SPAN, disturbances.shape[1])
    spans = disturbances.unfold(1, span, _SPAN // 2)
    worst = (spans**6).mean(2).add(_TINY) ** (1.0 / 6.0)
    return worst.square().mean(1).sqrt()
