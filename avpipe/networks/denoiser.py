"""A network that says, of each moment and frequency, how much of what is heard is speech."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from avpipe.features import Features
from avpipe.networks.network import Output
from avpipe.networks.stft import Stft
from avpipe.windowing import NUM_BINS, WINDOW_SEC

State = list[Tensor]
"""What a stream hands on from one block of frames to the next: the past that each layer still looks at."""

SAMPLE_RATE = 16_000
"""Hz, that the network is trained at; :data:`NUM_BINS` bins reach up to half of it, at any rate."""

_LEVEL_FRAMES = 128
"""Over which the level is averaged that spectra are divided by: two seconds, the present frame last."""

_COMPRESSION = 0.3

_TAPS_BEFORE = 4
"""Of each dilated convolution, before the one for the present frame."""


class DilatedBlock(nn.Module):
    """A depthwise convolution over time and bands, dilated in time and causal, then two pointwise ones; added to x.

    Args:
        channels: in and out.
        hidden: channels between the pointwise convolutions.
        dilation: frames between two of its five taps in time; it is three bands wide.

    Reference:
        Z. Liu et al., "A ConvNet for the 2020s", 2022, arXiv:2201.03545 (depthwise first, wide in the middle, one
        normalisation and one activation); Y. Luo, N. Mesgarani, "Conv-TasNet", 2018, arXiv:1809.07454 (dilations that
        double). Here with BatchNorm, which costs nothing once it is folded, and ReLU.
    """

    def __init__(self, channels: int, hidden: int, dilation: int) -> None:
        super().__init__()
        kernel = _TAPS_BEFORE + 1, 3
        self.depthwise = nn.Conv2d(
            channels, channels, kernel, dilation=(dilation, 1), padding=(0, 1), groups=channels, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)
        self.widen = nn.Conv2d(channels, hidden, 1)
        self.narrow = nn.Conv2d(hidden, channels, 1)
        with torch.no_grad():  # so that a deep stack begins near to the identity
            self.narrow.weight.mul_(0.3)

    def forward(self, maps: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """
        Shape:
            maps: (B, channels, T, bands), returned in the same shape; past: (B, channels, frames, bands), the maps
            before them, returned as those before what follows.
        """
        seen = torch.cat([past, maps], 2)
        # By phases the gradients of the dilated convolution take a quarter of the time; what it says is the same.
        heard = _by_phases(self.depthwise, seen) if self.training else self.depthwise(seen)
        said = self.narrow(nn.functional.relu(self.widen(self.norm(heard))))
        return maps + said, seen[:, :, seen.shape[2] - past.shape[2] :]


class BandMixing(nn.Module):
    """Every band hears of all others of its frame.

    Args:
        channels: of the maps.
        num_bands: of the maps.

    Reference:
        I. Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", 2021, arXiv:2105.01601 (one linear layer
        across places, shared by all channels).
    """

    def __init__(self, channels: int, num_bands: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.across = nn.Linear(num_bands, num_bands)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """
        Shape:
            maps: (B, channels, T, num_bands), returned in the same shape.
        """
        mixed: Tensor = self.out(nn.functional.relu(self.across(self.norm(maps))))
        return maps + mixed


class DenoisingNetwork(nn.Module):
    """A complex mask for the spectrum of speech in noise, from its own past and present.

    Spectra of 257 bins are divided by the level of the last two seconds, compressed, and merged above 2 kHz into bands
    that the ear tells apart. Two strided convolutions over the bands lead to a stack of dilated blocks, two transposed
    ones with skips lead back to a mask a band, which is spread over the bins. All layers are causal and see a stated
    past, which a stream hands on (:meth:`initial_state`): the result does not depend on how it is cut into blocks.

    Args:
        channels: of the stack of blocks.
        hidden: channels inside each block.
        dilations: of the blocks, in frames of 16 ms; every second block is followed by a mixing of bands.
        outer_channels: of the layers of twice the bands.
        narrow_bands: bins that stay bands of their own.
        wide_bands: bands above them, evenly spaced on the scale of equivalent rectangular bandwidths (ERB).

    Reference:
        X. Rong et al., "GTCRN: A Speech Enhancement Model Requiring Ultralow Computational Resources", ICASSP 2024
        (merged bands, strided encoder and decoder with skips, complex mask); H. Schroeter et al., "DeepFilterNet",
        2021, arXiv:2110.05588 (levels normalised by their own past); B. C. J. Moore, B. R. Glasberg, 1983 (ERB). Here
        dilated convolutions stand in place of recurrent layers, and the mask is not bounded.
    """

    def __init__(
        self,
        channels: int = 48,
        hidden: int = 96,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 1, 2, 4, 8, 16),
        outer_channels: int = 24,
        narrow_bands: int = 64,
        wide_bands: int = 32,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.past_frames = tuple(_TAPS_BEFORE * dilation for dilation in dilations)
        bands = narrow_bands + wide_bands
        if bands % 4:
            raise ValueError(f"narrow_bands={narrow_bands} and wide_bands={wide_bands} must sum to a multiple of 4")
        self.stft = Stft(round(WINDOW_SEC * SAMPLE_RATE), NUM_BINS)
        spread = band_weights(narrow_bands, wide_bands)
        self.register_buffer("spread", spread, persistent=False)
        self.register_buffer("merge", (spread / spread.sum(1, keepdim=True)).T.contiguous(), persistent=False)
        self.register_buffer("level_window", torch.ones(1, 1, _LEVEL_FRAMES), persistent=False)
        self.outer_in, self.inner_in = _halved(3, outer_channels), _halved(outer_channels, channels)
        self.blocks = nn.ModuleList(DilatedBlock(channels, hidden, dilation) for dilation in dilations)
        self.mixing = nn.ModuleList(BandMixing(channels, bands // 4) for _ in dilations[1::2])
        self.inner_skip = nn.Conv2d(channels, channels, 1)
        self.outer_skip = nn.Conv2d(outer_channels, outer_channels, 1)
        self.inner_out = nn.Sequential(_doubled(channels, outer_channels), nn.BatchNorm2d(outer_channels), nn.ReLU())
        self.outer_out = _doubled(outer_channels, 2)
        self.outer_out.bias = nn.Parameter(torch.tensor([0.7, 0.0]))  # begins by passing most of what it hears

    spread: Tensor
    merge: Tensor
    level_window: Tensor

    @property
    def num_outputs(self) -> None:
        """It has no head."""
        return None

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: ``waveform``, (B, channels, samples) at 16 kHz, of which the first channel is heard; lengths:
            (B,), in samples. The value is (B, samples): the speech in it, without lag.
        """
        heard = features["waveform"][:, 0]
        samples, hop = heard.shape[1], self.stft.hop_length
        spectrum = self.stft(nn.functional.pad(heard, (hop, hop + -samples % hop)))
        mask, _ = self.estimate(spectrum, self.initial_state(heard.shape[0]))
        speech = self.stft.inverse(complex_product(mask, spectrum))
        return Output(speech[:, hop : hop + samples], lengths=lengths["waveform"])

    def initial_state(self, batch: int) -> State:
        """The past of ``batch`` streams that begin: silence."""
        like = self.merge
        bands = len(self.spread) // 4
        pasts = [like.new_zeros(batch, past, bands, self.channels).permute(0, 3, 1, 2) for past in self.past_frames]
        return [like.new_zeros(batch, 2, _LEVEL_FRAMES - 1), *pasts]

    def estimate(self, spectrum: Tensor, state: State) -> tuple[Tensor, State]:
        """The mask of some frames, and the state for those that follow.

        Shape:
            spectrum: (B, 2, T, 257), as :class:`Stft` gives it; returns a mask of the same shape, real and imaginary
            parts.
        """
        pictures, level = self._pictures(spectrum, state[0])
        outer = self.outer_in(pictures)
        inner = self.inner_in(outer)
        maps, pasts = inner, [level]
        for place, block in enumerate(self.blocks):
            maps, past = block(maps, state[1 + place])
            pasts.append(past)
            if place % 2:
                maps = self.mixing[place // 2](maps)
        maps = self.inner_out(maps + self.inner_skip(inner))
        return self.outer_out(maps + self.outer_skip(outer)) @ self.spread, pasts

    def _pictures(self, spectrum: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, T, bands): real part, imaginary part and modulus, compressed; and the levels of the past."""
        power = spectrum.square().sum(1)
        present = torch.stack([power.mean(2), torch.ones_like(power[..., 0])], 1)
        levels = torch.cat([past, present], 2)
        # The sum of powers over the number of frames that there were so far.
        sums = nn.functional.conv1d(levels.flatten(0, 1)[:, None], self.level_window).view(past.shape[0], 2, 1, -1)
        level = (sums[:, 0, 0] / sums[:, 1, 0])[..., None] + 1e-12
        relative = power / level + 1e-8
        modulus = relative.pow(_COMPRESSION / 2.0)
        compressed = spectrum * (modulus * (relative * level).rsqrt())[:, None]
        pictures = torch.cat([compressed, modulus[:, None]], 1) @ self.merge
        # Channels last: a fifth faster on CPUs.
        return pictures.contiguous(memory_format=torch.channels_last), levels[..., -past.shape[2] :]


def _by_phases(convolution: nn.Conv2d, maps: Tensor) -> Tensor:
    """What a depthwise convolution dilated in time says, made by an undilated one of every d-th frame.

    Shape:
        maps: (B, channels, T, bands), channels last; returns (B, channels, T - frames that it looks back, bands).
    """
    batch, channels, frames, bands = maps.shape
    dilation = convolution.dilation[0]
    maps = nn.functional.pad(maps, (0, 0, 0, -frames % dilation))
    phases = maps.permute(0, 2, 3, 1).reshape(batch, -1, dilation, bands, channels).transpose(1, 2).flatten(0, 1)
    said = nn.functional.conv2d(
        phases.permute(0, 3, 1, 2), convolution.weight, padding=convolution.padding, groups=channels
    )
    joined = said.permute(0, 2, 3, 1).reshape(batch, dilation, -1, bands, channels).transpose(1, 2).flatten(1, 2)
    return joined[:, : frames - _TAPS_BEFORE * dilation].permute(0, 3, 1, 2)


def _halved(channels_in: int, channels_out: int) -> nn.Sequential:
    """A convolution over five bands that leaves every second one."""
    convolution = nn.Conv2d(channels_in, channels_out, (1, 5), (1, 2), (0, 2))
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())


def _doubled(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    """The way back from :func:`_halved`."""
    return nn.ConvTranspose2d(channels_in, channels_out, (1, 5), (1, 2), (0, 2), (0, 1))


def complex_product(mask: Tensor, spectrum: Tensor) -> Tensor:
    """
    Shape:
        mask, spectrum: (B, 2, ...), real and imaginary parts; returned in the same shape.
    """
    (a, b), (c, d) = mask.unbind(1), spectrum.unbind(1)
    return torch.stack([a * c - b * d, a * d + b * c], 1)


def band_weights(narrow: int, wide: int) -> Tensor:
    """How much of each band's gain every bin gets.

    Shape:
        returns (narrow + wide, 257): the first ``narrow`` bins each have a band, above them bands overlap as triangles.
    """

    def erb_of(hz: float) -> float:
        return 21.4 * math.log10(1.0 + 0.00437 * hz)

    bin_hz = 1.0 / WINDOW_SEC
    low, high = erb_of(narrow * bin_hz), erb_of((NUM_BINS - 1) * bin_hz)
    weights = torch.zeros(narrow + wide, NUM_BINS)
    weights[range(narrow), range(narrow)] = 1.0
    for place in range(narrow, NUM_BINS):
        position = (erb_of(place * bin_hz) - low) / (high - low) * (wide - 1)
        below = min(int(position + 1e-9), wide - 2)
        weights[narrow + below, place] = 1.0 - (position - below)
        weights[narrow + below + 1, place] = position - below
    return weights
