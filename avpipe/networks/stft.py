"""The short-time Fourier transform and its inverse as real convolutions."""

import math

import torch
from torch import Tensor, nn


class Stft(nn.Module):
    """The lower bins of a short-time Fourier transform, and the sound of them.

    Windows are the root of a Hann window and overlap by half, so that what is analysed and synthesised with all bins
    is the waveform again. No complex tensor occurs: bins are pairs of real and imaginary parts, the transform is a
    convolution with cosines and sines, its inverse a transposed one, which overlaps and adds. Both are computed in 32
    bits whatever precision is trained in: eight bits of a mantissa would be heard as noise.

    Args:
        window_length: in samples, even; the hop is half of it.
        num_bins: how many bins are told, from 0 Hz upwards; those beyond half the sample rate are zeros.

    Reference:
        J. B. Allen, "Short term spectral analysis, synthesis, and modification by discrete Fourier transform", IEEE
        TASSP, 1977. Here a sine of amplitude 1 has about the modulus 0.5 in its bin at any window length.
    """

    def __init__(self, window_length: int, num_bins: int) -> None:
        super().__init__()
        if window_length < 2 or window_length % 2:
            raise ValueError(f"window_length={window_length} must be even")
        self.window_length = window_length
        self.hop_length = window_length // 2
        self.num_bins = num_bins
        self.own_bins = min(num_bins, window_length // 2 + 1)
        time = torch.arange(window_length, dtype=torch.float64)
        window = torch.sin(math.pi * time / window_length)
        phases = 2.0 * math.pi / window_length * time * torch.arange(self.own_bins, dtype=torch.float64)[:, None]
        waves = torch.cat([phases.cos(), -phases.sin()]) * window
        # In a real signal all bins but the first and the last stand for two frequencies.
        twice = torch.full((self.own_bins,), 2.0, dtype=torch.float64)
        twice[0] = 1.0
        twice[window_length // 2 :] = 1.0
        self.register_buffer("analysis", (waves * 2.0 / window_length).float()[:, None], persistent=False)
        self.register_buffer("synthesis", (waves * twice.repeat(2)[:, None] / 2.0).float()[:, None], persistent=False)

    analysis: Tensor
    synthesis: Tensor

    def forward(self, waveform: Tensor) -> Tensor:
        """
        Shape:
            waveform: (B, samples), at least one window; returns (B, 2, frames, num_bins), real and imaginary parts,
            of windows that begin at sample 0, ``hop_length``, ...: as many as fit.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            bins = nn.functional.conv1d(waveform[:, None].float(), self.analysis, stride=self.hop_length)
        spectrum = bins.view(bins.shape[0], 2, self.own_bins, -1).transpose(2, 3)
        return nn.functional.pad(spectrum, (0, self.num_bins - self.own_bins))

    def inverse(self, spectrum: Tensor) -> Tensor:
        """
        Shape:
            spectrum: (B, 2, frames, num_bins); returns (B, (frames + 1) * hop_length). Its first and its last half
            window lack what a window before and a window behind would add.
        """
        bins = spectrum[..., : self.own_bins].transpose(2, 3).flatten(1, 2)
        with torch.autocast(spectrum.device.type, enabled=False):
            return nn.functional.conv_transpose1d(bins.float(), self.synthesis, stride=self.hop_length)[:, 0]
