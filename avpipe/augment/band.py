"""The bandwidth of telephones and cheap microphones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avpipe.augment.draw import child_generator, log_uniform
from avpipe.augment.fourier import filtered
from avpipe.augment.synthetic_noise import equalised
from avpipe.media import Clip

_MARGIN_SEC = 0.1


class Colouration:
    """A smooth gain over frequency, drawn anew: microphones, distances, settings of a desk.

    Args:
        depth_db: greatest standard deviation of the gain, in decibels; the deviation itself is drawn from 0 up to it.
        probability: part of the clips that are changed.
    """

    def __init__(self, depth_db: float, probability: float) -> None:
        self.depth_db = depth_db
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, depth_db = generator.random() < self.probability, generator.uniform(0.0, self.depth_db)
        child = child_generator(generator)
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        return replace(clip, waveform=equalised(clip.waveform, clip.sample_rate, depth_db, child))


class BandLimit:
    """High-pass, low-pass or both, with edges drawn evenly in octaves; the edges lie 3 dB down.

    Args:
        high_pass_hz: least and greatest lower edge of what is left; None: nothing is cut off below.
        low_pass_hz: least and greatest upper edge of what is left; None: nothing is cut off above.
        probability: part of the clips that are changed.
        order: of the slopes: 6 dB an octave for each.

    Reference:
        Gains as of S. Butterworth, "On the Theory of Filter Amplifiers", 1930. Here they have no phase: all frequencies
        stay at their time.
    """

    def __init__(
        self,
        high_pass_hz: Sequence[float] | None,
        low_pass_hz: Sequence[float] | None,
        probability: float,
        order: int = 6,
    ) -> None:
        for edges in (high_pass_hz, low_pass_hz):
            if edges is not None and not (len(edges) == 2 and 0.0 < edges[0] <= edges[1]):
                raise ValueError(f"edges {list(edges)} must be two frequencies above 0, the lower first")
        self.high_pass_hz = high_pass_hz
        self.low_pass_hz = low_pass_hz
        self.probability = probability
        self.order = order

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change = generator.random() < self.probability
        below, above = (
            log_uniform(edges[0], edges[1], generator) if edges else None
            for edges in (self.high_pass_hz, self.low_pass_hz)
        )
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip

        def response(frequencies_hz: np.ndarray) -> np.ndarray:
            powers = np.ones_like(frequencies_hz)
            if below is not None:
                powers += (below / np.maximum(frequencies_hz, 1e-3 * below)) ** (2 * self.order)
            if above is not None:
                powers += (frequencies_hz / above) ** (2 * self.order)
            return 1.0 / np.sqrt(powers)

        return replace(clip, waveform=filtered(clip.waveform, clip.sample_rate, response, _MARGIN_SEC))
