"""Clean speech made noisy, with the clean one kept beside it: what a denoising filter learns from."""

import warnings
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np

from avpipe.augment.draw import child_generator, log_uniform
from avpipe.augment.fourier import energy
from avpipe.augment.noise import SILENCE_POWER, mixed, stretch
from avpipe.augment.speed import at_speed
from avpipe.augment.synthetic_noise import NOISE_MAKERS, equalised
from avpipe.corpora import Example, mixture_sources
from avpipe.media import Clip, MediaError, read_clip

_MOST_SAMPLES = 150_000_000
"""Of decoded recordings, that a process keeps: 600 MB, two and a half hours at 16 kHz."""

SPEED = 1.8
"""Up to so many times faster, or slower, recorded noises are played."""

_ALONE_LEVEL = 0.1
"""Root mean square of noise without speech."""


class SpeechInNoise:
    """Noise of many kinds, added to the first channel of a clip whose second one stays clean.

    The noise is recorded, made by code, or the babble of other speakers, often two of them at once. The ratio is that
    of the mean powers of the whole clip. Some clips are left clean, so that the filter learns to do no harm, and some
    lose their speech, so that it learns what is none.

    Args:
        root: as of :class:`avpipe.corpora.Mixtures`, of which the training side alone is drawn from.
        speech: as of the same.
        noise: as of the same.
        low_db: least ratio of speech to noise.
        high_db: greatest ratio of speech to noise.
        clean: part of the clips that stay as they are.
        speechless: part of the clips that hold noise alone.
        babble: part of the noises that are the voices of others.
        made: part of the noises that are made by code.
        altered: part of the recorded noises that are played faster or slower, by up to ``SPEED``, and half of them
            backwards: of a few hundred recordings these are thousands.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        speech: str | Path | None = None,
        noise: str | Path | None = None,
        low_db: float = -7.0,
        high_db: float = 22.0,
        clean: float = 0.07,
        speechless: float = 0.03,
        babble: float = 0.1,
        made: float = 0.35,
        altered: float = 0.6,
    ) -> None:
        sources = mixture_sources(root, speech, noise)["train"]
        self.low_db = low_db
        self.high_db = high_db
        self.clean = clean
        self.speechless = speechless
        self.babble = babble
        self.made = made
        self.altered = altered
        self.speech = sources.speech
        self.noise = sources.noise
        self._kept: OrderedDict[tuple[Example, int], np.ndarray] = OrderedDict()

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        kind, ratio_db = generator.random(), generator.uniform(self.low_db, self.high_db)
        child = child_generator(generator)
        if clip.waveform is None or clip.sample_rate is None or kind < self.clean:
            return clip
        waveform = clip.waveform.copy()
        if kind < self.clean + self.speechless:
            waveform[:] = 0.0
            waveform[0] = self._noise(waveform.shape[1], clip.sample_rate, child) * np.float32(_ALONE_LEVEL)
        else:
            waveform[:1] = mixed(waveform[:1], self._noises(waveform.shape[1], clip.sample_rate, child), ratio_db)
        return replace(clip, waveform=waveform)

    def _noises(self, samples: int, sample_rate: int, draw: np.random.Generator) -> np.ndarray:
        """One noise, or a second one some decibels below it."""
        noise = self._noise(samples, sample_rate, draw)
        if draw.random() < 0.3:
            second = self._noise(samples, sample_rate, draw) * np.float32(10.0 ** (-draw.uniform(0.0, 15.0) / 20.0))
            noise = noise + second
        return noise

    def _noise(self, samples: int, sample_rate: int, draw: np.random.Generator) -> np.ndarray:
        """A noise of unit power; silent where its recording cannot be read."""
        kind = draw.random()
        if kind < self.babble:
            noise = self._voices(samples, sample_rate, draw)
        elif kind < self.babble + self.made:
            noise = NOISE_MAKERS[int(draw.integers(len(NOISE_MAKERS)))](samples, sample_rate, draw)
        else:
            noise = self._recorded(samples, sample_rate, draw)
        power = energy(noise) / noise.size
        return noise / np.float32(np.sqrt(power)) if power > SILENCE_POWER else np.zeros(samples, np.float32)

    def _recorded(self, samples: int, sample_rate: int, draw: np.random.Generator) -> np.ndarray:
        """A stretch of a recording, coloured anew; the fullest of three, as many recordings pause."""
        recording = self._read(self.noise[int(draw.integers(len(self.noise)))], sample_rate)
        is_altered, is_backwards = draw.random() < self.altered, draw.random() < 0.5
        speed = log_uniform(1.0 / SPEED, SPEED, draw) if is_altered else 1.0
        stretches = [stretch(recording, round(speed * samples), draw.random()) for _ in range(3)]
        noise = max(stretches, key=energy)
        if is_altered:
            noise = np.resize(at_speed(noise[None], speed)[0], samples)[:: -1 if is_backwards else 1]
        return equalised(noise, sample_rate, draw.uniform(0.0, 8.0), draw)

    def _voices(self, samples: int, sample_rate: int, draw: np.random.Generator) -> np.ndarray:
        voices = np.zeros(samples, np.float32)
        for _ in range(int(draw.integers(3, 9))):
            speaker = self._read(self.speech[int(draw.integers(len(self.speech)))], sample_rate)
            voice = stretch(speaker, samples, draw.random())
            level = 10.0 ** (draw.uniform(-8.0, 0.0) / 20.0) / np.sqrt(energy(voice) / voice.size + SILENCE_POWER)
            voices += np.float32(level) * voice
        return voices

    def _read(self, source: Example, sample_rate: int) -> np.ndarray:
        """A source in one channel, kept for the next time; a moment of silence where it cannot be read."""
        key = source, sample_rate
        if key not in self._kept:
            self._kept[key] = _decoded(source, sample_rate)
            while sum(map(len, self._kept.values())) > _MOST_SAMPLES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


class Pause:
    """Silence in place of a stretch, in all channels: before a sentence, behind it, or within.

    Args:
        longest_sec: greatest length; the least is a tenth of it.
        probability: part of the clips that are changed.
    """

    _EDGE_SEC = 0.01

    def __init__(self, longest_sec: float, probability: float) -> None:
        self.longest_sec = longest_sec
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, place = generator.random() < self.probability, generator.random()
        seconds = self.longest_sec * generator.uniform(0.1, 1.0)
        if clip.waveform is None or clip.sample_rate is None or not change:
            return clip
        samples = clip.waveform.shape[1]
        length = round(seconds * clip.sample_rate)
        first = place * (samples + length) - length
        away = np.abs(np.arange(samples) - (first + 0.5 * length)) - 0.5 * length
        gains = np.clip(away / (self._EDGE_SEC * clip.sample_rate), 0.0, 1.0)
        return replace(clip, waveform=clip.waveform * gains.astype(np.float32))


class Overload:
    """The first channel clipped, as by a recorder whose level was set too high; the clean one stays whole.

    Args:
        low_db: least distance of the ceiling below the peak.
        high_db: greatest such distance.
        probability: part of the clips that are changed.
    """

    def __init__(self, low_db: float, high_db: float, probability: float) -> None:
        self.low_db = low_db
        self.high_db = high_db
        self.probability = probability

    def __call__(self, clip: Clip, generator: np.random.Generator) -> Clip:
        change, depth_db = generator.random() < self.probability, generator.uniform(self.low_db, self.high_db)
        if clip.waveform is None or not change:
            return clip
        heard, *others = clip.waveform
        ceiling = np.float32(np.abs(heard).max() * 10.0 ** (-depth_db / 20.0))
        return replace(clip, waveform=np.stack([np.clip(heard, -ceiling, ceiling), *others]))


def _decoded(source: Example, sample_rate: int) -> np.ndarray:
    seconds = None if source.end_sec is None else source.end_sec - source.start_sec
    try:
        waveform = read_clip(source.path, source.start_sec, seconds, sample_rate=sample_rate, mono=True).waveform
    except MediaError as error:
        warnings.warn(f"not mixed in: {error}", stacklevel=1)
        waveform = None
    return np.zeros(sample_rate, np.float32) if waveform is None else waveform[0]
