"""Another speed, as of a tape; another pitch, as of another throat."""

from dataclasses import replace

import numpy as np

from avpipe.augment.draw import check_range, log_uniform
from avpipe.augment.fourier import FAST_LENGTHS, energy, fast_length
from avpipe.media import Clip

_MARGIN_SAMPLES = 1024
"""Silence added behind, so that what rings over one end does not come in at the other."""

_CANDIDATES = 16
"""Transform lengths among which the one is taken whose counterpart meets the factor best: within 0.1 %."""

_ROLLOFF = 0.04
"""Part of the band, at its upper end, over which the filter closes."""


class Speed:
    """Faster and higher, or slower and deeper: tempo, pitch and formants by one factor, as of a tape.

    The clip becomes shorter or longer by it. Nothing folds back from above half the sample rate. The picture keeps its
    own speed.

    Args:
        low: least factor; 0.9 is slower by a tenth.
        high: greatest factor.
        probability: part of the clips that are changed.

    Reference:
        T. Ko et al., "Audio Augmentation for Speech Recognition", Interspeech 2015 (three fixed factors 0.9, 1.0, 1.1,
        changed once before training). Here the factor is drawn evenly from a range for each item, and the sound is
        resampled by the quotient of two lengths of a Fourier transform.
    """

    def __init__(self, low: float, high: float, probability: float = 1.0) -> None:
        check_range(low=low, high=high)
        self.low = low
        self.high = high
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, factor = generator.random() < self.probability, generator.uniform(self.low, self.high)
        if clip.waveform is None or not change or factor == 1.0:
            return clip
        return replace(clip, waveform=at_speed(clip.waveform, factor))


class PitchShift:
    """Another pitch and other formants by one factor, and another tempo by another: children, shouting, drawling.

    Read speech alone teaches that voices are low and calm. The clip becomes longer or shorter by the tempo. The picture
    keeps its own.

    Args:
        low: least factor of pitch and formants.
        high: greatest such factor; drawn evenly in its logarithm.
        low_tempo: least factor of tempo; 0.5 takes twice the time.
        high_tempo: greatest such factor.
        probability: part of the clips that are changed.

    Reference:
        J. L. Flanagan, R. M. Golden, "Phase Vocoder", Bell System Technical Journal, 1966, as librosa has it, behind a
        change of speed.
    """

    _WINDOW_SAMPLES = 1024

    def __init__(self, low: float, high: float, low_tempo: float, high_tempo: float, probability: float) -> None:
        check_range(low=low, high=high)
        check_range(low_tempo=low_tempo, high_tempo=high_tempo)
        self.low = low
        self.high = high
        self.low_tempo = low_tempo
        self.high_tempo = high_tempo
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, factor = generator.random() < self.probability, log_uniform(self.low, self.high, generator)
        tempo = generator.uniform(self.low_tempo, self.high_tempo)
        if clip.waveform is None or not change or clip.waveform.shape[1] < self._WINDOW_SAMPLES:
            return clip
        from librosa.effects import time_stretch  # takes seconds to import

        shifted = at_speed(clip.waveform, factor)
        stretched = time_stretch(shifted, rate=tempo / factor, n_fft=self._WINDOW_SAMPLES)
        # What phases lose against one another, a third of the level at most, is given back.
        gain = np.sqrt(energy(shifted) / shifted.size / max(energy(stretched) / stretched.size, 1e-20))
        return replace(clip, waveform=np.ascontiguousarray(stretched * gain, np.float32))


def at_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """(channels, samples) to (channels, about samples / factor), at the same sample rate."""
    samples = waveform.shape[1]
    length, changed_length = _lengths(samples + _MARGIN_SAMPLES, factor)
    spectrum = np.fft.rfft(waveform, length)[:, : min(length, changed_length) // 2]
    closing = int(_ROLLOFF * spectrum.shape[1])
    gains = np.full(spectrum.shape[1], changed_length / length, np.float32)
    gains[len(gains) - closing :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, closing + 1) / closing)
    # Bins above the shorter spectrum are cut off by the shorter transform, or are silent in the longer one.
    changed = np.fft.irfft(spectrum * gains, changed_length)
    return np.ascontiguousarray(changed[:, : max(1, round(samples * changed_length / length))])


def _lengths(samples: int, factor: float) -> tuple[int, int]:
    """Two lengths that numpy transforms fast: the first holds ``samples``, and is ``factor`` times the second."""
    first = int(np.searchsorted(FAST_LENGTHS, fast_length(samples)))
    lengths = FAST_LENGTHS[first : first + _CANDIDATES]
    above = np.searchsorted(FAST_LENGTHS, lengths / factor)
    pairs = [
        (int(length), int(FAST_LENGTHS[place]))
        for length, top in zip(lengths, above, strict=True)
        for place in (top - 1, top)
    ]
    return min(pairs, key=lambda pair: abs(pair[0] / pair[1] - factor))
