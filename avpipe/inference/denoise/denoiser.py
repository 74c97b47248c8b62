"""The filter itself: any rate, any number of channels, block by block, without lag or seams."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avpipe.errors import ArgumentError
from avpipe.inference.denoise.masks import GraphMasks, Masks, State, TorchMasks
from avpipe.inference.runtime import chosen_runtime, graph_of
from avpipe.windowing import NUM_BINS, WINDOW_SEC, Spectrum

if TYPE_CHECKING:
    from avpipe.bundle import Bundle

ABOVE_BINS = slice(128, NUM_BINS)
"""Bins of 4 to 8 kHz: above 8 kHz, where nothing was learned, as much energy is left of a frame as is left in them.

A share of energy and not the mean gain: of a hiss of speech all is left that is strong in it, however few its bins."""

_BLOCK_SEC = 4.0
"""What is given at once goes through the network in pieces of this length, so that its memory is bounded."""

_SETTLE_SEC = 2.0
"""Of a recording's beginning, that the network hears backwards first: it then knows the noise from the first word on.

On the validation mixtures the first second gains 1.2 dB by it, clips of 4 s gain 0.03 PESQ; 4 s do no better.
"""

_MOST_CHANNELS = 64
"""More channels than this, and than samples, are an array the wrong way round."""


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
        runtime: what computes: ``torch``, ``onnx`` (without torch), or ``auto``.

    Raises:
        AvpipeError: there is no such bundle, it is damaged or no filter, or a value is out of range.
    """

    def __init__(
        self,
        bundle: "str | Path | Bundle" = "denoise",
        strength: float = 1.0,
        max_attenuation_db: float | None = None,
        device: str = "cpu",
        runtime: str = "auto",
    ) -> None:
        if not 0.0 <= strength <= 1.0:
            raise ArgumentError(f"strength={strength}", "is out of range", "give a number from 0 to 1")
        if max_attenuation_db is not None and not max_attenuation_db >= 0.0:
            raise ArgumentError(
                f"max_attenuation_db={max_attenuation_db}", "is out of range", "give 0 or more decibels"
            )
        self.masks: Masks
        if not isinstance(bundle, str | Path):
            self.masks = TorchMasks(bundle)
            self.digest, self.notice = bundle.digest, bundle.notice
        elif chosen_runtime([str(bundle)], runtime, device, streaming=True) == "onnx":
            self.masks = GraphMasks(graph_of(str(bundle), streaming=True))
            self.digest, self.notice = self.masks.graph.digest, self.masks.graph.notice
        else:
            from avpipe.bundle import find_bundle, load_bundle
            from avpipe.device import choose_device

            loaded = load_bundle(find_bundle(str(bundle)), choose_device(device))
            self.masks = TorchMasks(loaded)
            self.digest, self.notice = loaded.digest, loaded.notice
        least = 0.0 if max_attenuation_db is None else 10.0 ** (-max_attenuation_db / 20.0)
        self.dry = 1.0 - strength * (1.0 - least)
        """Share of the sound as it came in the output."""
        self._transforms: dict[int, Spectrum] = {}

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
        if len(rows) > max(_MOST_CHANNELS, rows.shape[1]):
            told = f"has shape {waveform.shape}: {len(rows)} channels of {rows.shape[1]} samples"
            raise ArgumentError("waveform", told, "give waveform.T, which is (channels, samples)")
        if not rows.size:
            return waveform.astype(np.float32)
        if not np.isfinite(rows).all():
            raise ArgumentError("waveform", "holds NaN or infinite samples", "replace them, by silence for example")
        stream = self.stream(sample_rate, len(rows))
        return np.concatenate([stream.push(rows), stream.finish()], 1).reshape(waveform.shape)

    def transform(self, sample_rate: int) -> Spectrum:
        """The transform for a rate, of which each is made once."""
        if sample_rate not in self._transforms:
            window_length = 2 * max(1, round(0.5 * WINDOW_SEC * sample_rate))
            self._transforms[sample_rate] = Spectrum(window_length)
        return self._transforms[sample_rate]

    def stream(self, sample_rate: int, channels: int, live: bool = False) -> "DenoiserStream":
        """A filter for blocks of one sound, which carries its own past.

        Args:
            sample_rate: Hz.
            channels: of every block.
            live: nothing waits: see :class:`DenoiserStream`.
        """
        return DenoiserStream(self, sample_rate, channels, live)


class DenoiserStream:
    """Filters one sound block by block; blocks of any sizes give what the whole at once would.

    As many samples come out in all as went in, and nothing is shifted in time. The first two seconds are held back
    until all of them are there, since the network hears them backwards first; from then on samples come 16 ms late at
    least and less than 32 ms at most, until :meth:`finish` gives the rest.

    Args:
        denoiser: whose network and settings it uses.
        sample_rate: Hz.
        channels: of every block.
        live: the first two seconds are not held back either; their noise is then let through until it is known.

    Raises:
        ArgumentError: ``sample_rate`` or ``channels`` is no whole number from 1.
    """

    def __init__(self, denoiser: Denoiser, sample_rate: int, channels: int, live: bool = False) -> None:
        for name, value in (("sample_rate", sample_rate), ("channels", channels)):
            if not hasattr(value, "__int__") or int(value) != value or value < 1:
                raise ArgumentError(f"{name}={value}", "is no whole number from 1")
        self.channels = channels
        self._denoiser = denoiser
        self._spectrum = denoiser.transform(sample_rate)
        hop = self._spectrum.hop_length
        self._largest = max(1, round(_BLOCK_SEC * sample_rate / hop)) * hop
        self._state: State = denoiser.masks.initial_state(channels)
        self._window = (np.sin(np.pi * np.arange(2 * hop) / (2 * hop)) ** 2).astype(np.float32)
        zeros = np.zeros((channels, hop), np.float32)
        self._heard, self._overlap = zeros, zeros
        """The last hop that went in, and what its window adds to the hop that comes next."""
        self._waiting = np.zeros((channels, 0), np.float32)
        self._taken = self._given = 0
        self._lead = hop
        self._settling = 0 if live else round(_SETTLE_SEC * sample_rate / hop) * hop
        """Samples that are to be heard before the first is filtered; 0 once that is done."""
        self._finished = False

    def push(self, block: np.ndarray) -> np.ndarray:
        """
        Shape:
            block: (channels, samples), any number of samples; returns (channels, as many as are finished), float32.
        """
        if self._finished:
            raise ArgumentError("stream", "is finished", "make another for another sound")
        block = np.asarray(block, np.float32)
        if block.ndim != 2 or len(block) != self.channels:
            raise ArgumentError("block", f"has shape {block.shape}", f"give ({self.channels}, samples)")
        if not np.isfinite(block).all():
            raise ArgumentError("block", "holds NaN or infinite samples", "replace them, by silence for example")
        self._taken += block.shape[1]
        waiting = np.concatenate([self._waiting, block], 1)
        whole = waiting.shape[1] // self._spectrum.hop_length * self._spectrum.hop_length
        if whole < self._settling:
            self._waiting = waiting
            return np.zeros((self.channels, 0), np.float32)
        self._settle(waiting[:, : self._settling])
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
        self._finished = True
        missing = self._taken - self._given
        if not missing:
            return np.zeros((self.channels, 0), np.float32)
        hop = self._spectrum.hop_length
        rest = np.pad(self._waiting, ((0, 0), (0, hop + -self._waiting.shape[1] % hop)))
        if self._settling:
            self._settle(self._waiting)
        return self._delivered([self._filtered(rest)])

    def _settle(self, samples: np.ndarray) -> None:
        """Hear the beginning backwards, which ends where the sound begins, and keep the state."""
        hop = self._spectrum.hop_length
        self._settling = 0
        whole = samples.shape[1] // hop * hop
        if whole >= 2 * hop:
            backwards = np.ascontiguousarray(samples[:, :whole][:, ::-1])
            _, self._state = self._denoiser.masks.estimate(self._spectrum(backwards), self._state)

    def _delivered(self, parts: list[np.ndarray]) -> np.ndarray:
        """What is finished, without the hop of silence before the beginning and the padding behind the end."""
        found = np.concatenate([np.zeros((self.channels, 0), np.float32), *parts], 1)
        lead = min(self._lead, found.shape[1])
        self._lead -= lead
        found = found[:, lead:][:, : self._taken - self._given]
        self._given += found.shape[1]
        return found

    def _filtered(self, samples: np.ndarray) -> np.ndarray:
        """(channels, k hops) in, as many out: the hops before the last one that went in, and that of the call before.

        With the gain ``above`` for all that is above the bins, the sound under it needs no transform: what the bins
        get besides is their own mask less that gain.
        """
        hop = self._spectrum.hop_length
        block = np.concatenate([self._heard, samples], 1)
        spectrum = self._spectrum(block)
        mask, self._state = self._denoiser.masks.estimate(spectrum, self._state)
        mask, above = self._shared(mask, spectrum)
        envelope = np.zeros((len(above) + 1, hop), np.float32)
        envelope[:-1] += above[:, None] * self._window[:hop]
        envelope[1:] += above[:, None] * self._window[hop:]
        filtered = self._spectrum.inverse((mask - above[:, None]) * spectrum) + block * envelope.ravel()
        filtered[:, :hop] += self._overlap
        self._overlap = filtered[:, -hop:].copy()
        self._heard = samples[:, -hop:].copy()
        return filtered[:, :-hop]

    def _shared(self, masks: np.ndarray, spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One mask for all channels, (frames, bins), and the gain above its bins, (frames,)."""
        power = _power(spectrum) + np.float32(1e-20)
        left = (_power(masks) * power)[..., ABOVE_BINS].sum(-1) / power[..., ABOVE_BINS].sum(-1)
        mask = (masks * power).sum(0) / power.sum(0)
        loudness = power.sum(-1)
        above = (np.minimum(np.sqrt(left), np.float32(1.0)) * loudness).sum(0) / loudness.sum(0)
        dry = np.float32(self._denoiser.dry)
        return mask * (1 - dry) + dry, above * (1 - dry) + dry


def _power(numbers: np.ndarray) -> np.ndarray:
    power: np.ndarray = numbers.real**2 + numbers.imag**2
    return power
