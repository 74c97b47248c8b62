"""The power spectrum in real numbers, in a quarter of the products that cosines and sines of all bins take."""

import math

import torch
from torch import Tensor, nn


class PowerSpectrum(nn.Module):
    """Squared moduli of a real transform of windows, the even bins first.

    Sum and difference of a window's halves hold its even and its odd bins; of either, what lies as far before the
    middle as behind has one cosine and one sine. Four products of a quarter of the length each are left.

    Args:
        window: (n_fft,), n_fft a multiple of 4.
        hop_length: from one window to the next, in samples.
        num_bins: how many bins are wanted, from 0 Hz upwards.

    Reference:
        J. W. Cooley, J. W. Tukey, "An algorithm for the machine calculation of complex Fourier series", Mathematics of
        Computation, 1965: one step of it, as a library's product of matrices is faster than the others would be.
    """

    def __init__(self, window: Tensor, hop_length: int, num_bins: int) -> None:
        super().__init__()
        self.n_fft = len(window)
        if self.n_fft % 4:
            raise ValueError(f"n_fft={self.n_fft} must be a multiple of 4")
        self.hop_length = hop_length
        self.middle = self.n_fft // 2
        self.quarter = self.n_fft // 4
        self.order = [*range(0, num_bins, 2), *range(1, num_bins, 2)]
        """The bins in the order in which they come."""
        inner = torch.arange(self.quarter + 1, dtype=torch.float64)
        even, odd = (torch.arange(first, num_bins, 2, dtype=torch.float64) for first in (0, 1))
        phases = [2.0 * math.pi / self.n_fft * inner[:, None] * bins for bins in (even, odd)]
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("even_cosines", phases[0].cos().float(), persistent=False)
        self.register_buffer("even_sines", phases[0][1:-1].sin().float(), persistent=False)
        self.register_buffer("odd_cosines", phases[1][:-1].cos().float(), persistent=False)
        self.register_buffer("odd_sines", phases[1][1:].sin().float(), persistent=False)

    window: Tensor
    even_cosines: Tensor
    even_sines: Tensor
    odd_cosines: Tensor
    odd_sines: Tensor

    def forward(self, waveform: Tensor, frames: int) -> Tensor:
        """
        Shape:
            waveform: (B, samples), of which each window that begins at a multiple of ``hop_length`` fits; frames:
            how many. Returns (B, frames, num_bins), in the order of :attr:`order`.
        """
        windows = self._windows(waveform, frames) * self.window
        before, behind = windows[..., : self.middle], windows[..., self.middle :]
        both, apart = before + behind, before - behind
        # Of n before the middle and as far behind it.
        both_first, both_last = both[..., 1 : self.quarter], both[..., self.quarter + 1 :].flip(-1)
        apart_first, apart_last = apart[..., 1 : self.quarter], apart[..., self.quarter + 1 :].flip(-1)
        edge, middle = both[..., :1], both[..., self.quarter : self.quarter + 1]
        even = (torch.cat([edge, both_first + both_last, middle], -1) @ self.even_cosines).square()
        even = even + ((both_first - both_last) @ self.even_sines).square()
        odd = (torch.cat([apart[..., :1], apart_first - apart_last], -1) @ self.odd_cosines).square()
        turned = torch.cat([apart_first + apart_last, apart[..., self.quarter : self.quarter + 1]], -1)
        odd = odd + (turned @ self.odd_sines).square()
        return torch.cat([even, odd], -1)

    def _windows(self, waveform: Tensor, frames: int) -> Tensor:
        """(B, frames, n_fft), put together of pieces of one hop, which are copied as a whole."""
        pieces = -(-self.n_fft // self.hop_length)
        needed = (frames + pieces - 1) * self.hop_length
        padded = nn.functional.pad(waveform, (0, pieces * self.hop_length))[:, :needed]
        rows = padded.reshape(waveform.shape[0], -1, self.hop_length)
        parts = [rows[:, first : first + frames] for first in range(pieces)]
        return torch.cat(parts, -1)[..., : self.n_fft]
