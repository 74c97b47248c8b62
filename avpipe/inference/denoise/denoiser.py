"""The filter itself: any rate, any number of channels, block by block, without lag or seams."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from avpipe.bundle import Bundle, find_bundle, load_bundle
from avpipe.device import choose_device
from avpipe.errors import ArgumentError
from avpipe.networks import DenoisingNetwork, Stft
from avpipe.networks.denoiser import NUM_BINS, WINDOW_SEC, State, complex_product

ABOVE_BINS = slice(128, NUM_BINS)
"""Bins of 4 to 8 kHz: above 8 kHz, where nothing was learned, as much energy is left of a frame as is left in them.

A share of energy and not the mean gain: of a hiss of speech all is left that is strong in it, however few its bins."""

_BLOCK_SEC = 4.0
"""What is given at once goes through the network in pieces of this length, so that its memory is bounded."""


class Denoiser:
    """Takes the noise out of sound: ``avpipe.Denoiser("denoise")(waveform, sample_rate)``.

    The spectrum is that of 32 ms windows at the sound's own rate, so that nothing is resampled; up to 8 kHz its bins
    are those that the network has learned, and above it one gain follows from the uppermost of them. All channels get
    the same mask, the mean of their own masks weighted by their power in each bin, which keeps the stereo image.

    Args:
        bundle: the name of one that ships, a bundle's folder, or a loaded bundle.
        strength: share of the filtered sound in the output, in [0, 1]; the rest is the sound as it came.
        max_attenuation_db: nothing is made weaker by more than this; None: no bound.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.

    Raises:
        AvpipeError: there is no such bundle, it is damaged or no filter, or a value is out of range.
    """

    def __init__(
        self,
        bundle: str | Path | Bundle = "denoise",
        strength: float = 1.0,
        max_attenuation_db: float | None = None,
        device: str = "cpu",
    ) -> None:
        if not 0.0 <= strength <= 1.0:
            raise ArgumentError(f"strength={strength}", "is out of range", "give a number from 0 to 1")
        if max_attenuation_db is not None and not max_attenuation_db >= 0.0:
            raise ArgumentError(
                f"max_attenuation_db={max_attenuation_db}", "is out of range", "give 0 or more decibels"
            )
        if not isinstance(bundle, Bundle):
            bundle = load_bundle(find_bundle(str(bundle)), choose_device(device))
        if not isinstance(bundle.network, DenoisingNetwork):
            raise ArgumentError(f"bundle={bundle.name}", "is no denoising filter", "give bundle=denoise")
        self.bundle = bundle
        self.network: DenoisingNetwork = bundle.network
        self.device = bundle.device
        least = 0.0 if max_attenuation_db is None else 10.0 ** (-max_attenuation_db / 20.0)
        self.dry = 1.0 - strength * (1.0 - least)
        """Share of the sound as it came in the output."""

    def __call__(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """The waveform without its noise, in the same shape and at the same times.

        Args:
            waveform: in [-1, 1], (samples,) or (channels, samples), of any float type.
            sample_rate: Hz.

        Raises:
            ArgumentError: the waveform is of another shape, or holds NaN or infinite samples.

        Shape:
            returns what the waveform is, float32.
        """
        waveform = np.asarray(waveform)
        if waveform.ndim not in (1, 2) or not np.issubdtype(waveform.dtype, np.floating):
            told = f"has shape {waveform.shape} and type {waveform.dtype}"
            raise ArgumentError("waveform", told, "give floats of shape (samples,) or (channels, samples)")
        rows = np.atleast_2d(waveform)
        if not rows.size:
            return waveform.astype(np.float32)
        if not np.isfinite(rows).all():
            raise ArgumentError("waveform", "holds NaN or infinite samples", "replace them, by silence for example")
        stream = self.stream(sample_rate, len(rows))
        return np.concatenate([stream.push(rows), stream.finish()], 1).reshape(waveform.shape)

    def stream(self, sample_rate: int, channels: int) -> "DenoiserStream":
        """A filter for blocks of one sound, which carries its own past."""
        return DenoiserStream(self, sample_rate, channels)


class DenoiserStream:
    """Filters one sound block by block; blocks of any sizes give what the whole at once would.

    As many samples come out in all as went in. They come 16 ms late at least, and 32 ms at most but for what is missing
    to a full hop, until :meth:`finish` gives the rest; nothing is shifted in time.

    Args:
        denoiser: whose network and settings it uses.
        sample_rate: Hz.
        channels: of every block.
    """

    def __init__(self, denoiser: Denoiser, sample_rate: int, channels: int) -> None:
        if sample_rate < 1 or channels < 1:
            raise ArgumentError(f"sample_rate={sample_rate}, channels={channels}", "must be at least 1")
        self.channels = channels
        self._denoiser = denoiser
        self._stft = _transform(denoiser, sample_rate)
        hop = self._stft.hop_length
        self._largest = max(1, round(_BLOCK_SEC * sample_rate / hop)) * hop
        self._state: State = denoiser.network.initial_state(channels)
        self._window = torch.sin(torch.pi * torch.arange(2 * hop, device=denoiser.device) / (2 * hop)).square()
        zeros = torch.zeros(channels, hop, device=denoiser.device)
        self._heard, self._overlap = zeros, zeros
        """The last hop that went in, and what its window adds to the hop that comes next."""
        self._waiting = np.zeros((channels, 0), np.float32)
        self._taken = self._given = 0
        self._lead = hop

    def push(self, block: np.ndarray) -> np.ndarray:
        """
        Shape:
            block: (channels, samples), any number of samples; returns (channels, as many as are finished), float32.
        """
        if block.ndim != 2 or len(block) != self.channels:
            raise ArgumentError("block", f"has shape {block.shape}", f"give ({self.channels}, samples)")
        self._taken += block.shape[1]
        waiting = np.concatenate([self._waiting, np.asarray(block, np.float32)], 1)
        whole = waiting.shape[1] // self._stft.hop_length * self._stft.hop_length
        self._waiting = waiting[:, whole:]
        parts = [
            self._filtered(waiting[:, first : min(first + self._largest, whole)])
            for first in range(0, whole, self._largest)
        ]
        return self._delivered(parts)

    def finish(self) -> np.ndarray:
        """What has not come yet; nothing can be pushed after it.

        Shape:
            returns (channels, samples), float32.
        """
        missing = self._taken - self._given
        if not missing:
            return np.zeros((self.channels, 0), np.float32)
        hop = self._stft.hop_length
        rest = np.pad(self._waiting, ((0, 0), (0, hop + -self._waiting.shape[1] % hop)))
        return self._delivered([self._filtered(rest)])

    def _delivered(self, parts: list[np.ndarray]) -> np.ndarray:
        """What is finished, without the hop of silence before the beginning and the padding behind the end."""
        found = np.concatenate([np.zeros((self.channels, 0), np.float32), *parts], 1)
        lead = min(self._lead, found.shape[1])
        self._lead -= lead
        found = found[:, lead:][:, : self._taken - self._given]
        self._given += found.shape[1]
        return found

    @torch.inference_mode()
    def _filtered(self, samples: np.ndarray) -> np.ndarray:
        """(channels, k hops) in, as many out: the hops before the last one that went in, and that of the call before.

        With the gain ``above`` for all that is above the bins, the sound under it needs no transform: what the bins
        get besides is their own mask less that gain.
        """
        hop = self._stft.hop_length
        new = torch.from_numpy(np.ascontiguousarray(samples)).to(self._denoiser.device)
        block = torch.cat([self._heard, new], 1)
        spectrum = self._stft(block)
        mask, self._state = self._denoiser.network.estimate(spectrum, self._state)
        mask, above = self._shared(mask, spectrum)
        rise, fall = (above[:, None] * half for half in self._window.view(2, hop))
        envelope = nn.functional.pad(rise, (0, 0, 0, 1)) + nn.functional.pad(fall, (0, 0, 1, 0))
        away = torch.stack([mask[0] - above[:, None], mask[1]])
        filtered = self._stft.inverse(complex_product(away.expand_as(spectrum), spectrum)) + block * envelope.flatten()
        filtered[:, :hop] += self._overlap
        self._overlap = filtered[:, -hop:].clone()
        self._heard = new[:, -hop:].clone()
        return filtered[:, :-hop].cpu().numpy()

    def _shared(self, masks: Tensor, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """One mask for all channels, (2, frames, bins), and the gain above its bins, (frames,)."""
        power = spectrum.square().sum(1) + 1e-20
        left = (masks.square().sum(1) * power)[..., ABOVE_BINS].sum(-1) / power[..., ABOVE_BINS].sum(-1)
        mask = (masks * power[:, None]).sum(0) / power.sum(0)
        loudness = power.sum(-1)
        above = (left.sqrt().clamp(max=1.0) * loudness).sum(0) / loudness.sum(0)
        dry = self._denoiser.dry
        mask = mask * (1.0 - dry)
        mask[0] += dry
        return mask, above * (1.0 - dry) + dry


def _transform(denoiser: Denoiser, sample_rate: int) -> Stft:
    window_length = 2 * max(1, round(0.5 * WINDOW_SEC * sample_rate))
    return Stft(window_length, NUM_BINS).to(denoiser.device)
