"""Speech and noise become files: written once, whole, and the same everywhere."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from avpipe.corpora.chance import white_noise
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.recipe import CLEAN, COLOURED, Mixture
from avpipe.corpora.written import holds_all, samples_sha256, write_folder, write_table
from avpipe.media import read_clip, write_audio

SAMPLE_RATE = 16_000
FULL_SCALE = 32_768
PEAK = 0.98
"""Of full scale, which no mixture exceeds."""
FADE_SEC = 0.05
"""Of the seam where a noise that is too short begins anew."""
STRETCHES = 8
"""Places tried for one that is not a pause."""
LEAST_POWER = 0.5
"""Mean power of a stretch, by that of the whole recording, below which it is taken for a pause."""
SILENCE = 1.0
"""Mean square, in squared steps of 16 bits, below which there is nothing to mix."""
RECORDINGS = 48
"""Held at a time."""
TABLE = "mixtures.csv"

Read = Callable[[Example], np.ndarray]


class Drawn(Protocol):
    """What is to be written: whatever is drawn for it, it draws itself."""

    def draw(self, *what: object) -> float: ...


def noisy_and_clean(mixture: Mixture, read: Read) -> tuple[np.ndarray, np.ndarray, float]:
    """A mixture, the speech in it, and where in the noise it begins in seconds.

    Both are whole numbers, and the noise is exactly their difference. The ratio is that of the energies of speech and
    noise over the whole file. The speech has the mixture's level, less where something would clip.

    Shape:
        returns (samples,) int16 each.

    Raises:
        CorpusError: the speech or a noise is silent.
        MediaError: one cannot be read.
    """
    speech = read(mixture.speech)
    if mixture.longest_sec is not None:
        length = min(len(speech), round(mixture.longest_sec * SAMPLE_RATE))
        speech, _ = stretch(speech, length, mixture, "speech")
    noise, start_sec = _noise(mixture, len(speech), read)
    speech = speech * (FULL_SCALE * 10 ** (mixture.level_db / 20) / math.sqrt(power_of(speech, mixture.speech)))
    if mixture.kind != CLEAN:
        source = mixture.noises[0] if mixture.noises else mixture.speech
        wanted = power_of(speech, mixture.speech) / 10 ** (mixture.snr_db / 10)
        noise = noise * math.sqrt(wanted / power_of(noise, source))
    loudest = max(float(np.abs(each).max()) for each in (speech, noise, speech + noise))
    scale = min(1.0, PEAK * FULL_SCALE / loudest)
    # Rounded apart, then added: the reference is what is in the mixture, to the last bit.
    clean, added = (np.rint(each * scale).astype(np.int16) for each in (speech, noise))
    return clean + added, clean, start_sec


def write_mixtures(folder: Path, mixtures: Sequence[Mixture], name_of: Callable[[Path], str]) -> None:
    """Write ``<side>/noisy/``, ``<side>/clean/`` and a table, all or nothing; what is there already stays.

    Args:
        folder: where to; of several processes that write at once the first to finish stays.
        mixtures: what to write.
        name_of: what the table calls a source.

    Raises:
        CorpusError: a source is silent, or the disk is full or read-only.
        MediaError: a source cannot be read, a file not be written.
    """
    write_folder(folder, _names(mixtures), lambda part: _fill(part, mixtures, name_of), "mixtures")


def is_written(folder: Path, mixtures: Sequence[Mixture]) -> bool:
    """Whether every file is there."""
    return holds_all(folder, _names(mixtures))


def paths_of(folder: Path, mixture: Mixture) -> tuple[Path, Path]:
    """The files of the mixture and of the speech in it."""
    side = folder / mixture.side
    return side / "noisy" / mixture.name, side / "clean" / mixture.name


def read_samples(example: Example, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """A recording in one channel, rounded to 16 bits.

    Shape:
        returns (samples,), float64 of whole numbers.
    """
    duration_sec = None if example.end_sec is None else example.end_sec - example.start_sec
    clip = read_clip(example.path, example.start_sec, duration_sec, sample_rate=sample_rate, mono=True)
    assert clip.waveform is not None
    return np.rint(clip.waveform[0].astype(np.float64) * FULL_SCALE)


def read_sound(example: Example) -> np.ndarray:
    """A recording in one channel, rounded to 16 bits, that is not silent.

    Shape:
        returns (samples,), float64 of whole numbers.

    Raises:
        CorpusError: it is silent.
        MediaError: it cannot be read.
    """
    samples = read_samples(example)
    if not len(samples) or np.square(samples).mean() < SILENCE:
        raise CorpusError(example.path, "is silent", "remove it")
    return samples


def stretch(samples: np.ndarray, length: int, drawn: Drawn, what: str) -> tuple[np.ndarray, int]:
    """So many samples from a drawn place that is no pause, and the place; what is too short is repeated.

    Shape:
        samples: (n,).
        returns (length,).
    """
    period = len(samples)
    if period <= length:
        fade = min(round(FADE_SEC * SAMPLE_RATE), period // 4)
        period -= fade
        samples = _endless(samples, fade, period + length)
    least = LEAST_POWER * float(np.square(samples).mean())
    last = len(samples) - length
    starts = [int(drawn.draw(what, attempt) * (last + 1)) for attempt in range(STRETCHES)]
    # A bark in a minute of silence: somewhere in the stretch is the loudest sample.
    starts.append(min(last, max(0, int(np.abs(samples).argmax()) - int(drawn.draw(what) * length))))
    for start in starts:
        found = samples[start : start + length]
        if float(np.square(found).mean()) >= least:
            break
    return found, start % period


def coloured(length: int, exponent: float, mixture: Mixture) -> np.ndarray:
    """Generated noise whose power falls with frequency as ``f ** -exponent`` above 50 Hz.

    Shape:
        returns (length,), float64.
    """
    spectrum = np.fft.rfft(white_noise(length, "coloured", mixture.side, mixture.number))
    frequencies = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 50.0)
    return np.fft.irfft(spectrum * frequencies ** (-exponent / 2), length)


def power_of(samples: np.ndarray, source: Example) -> float:
    """The mean square.

    Raises:
        CorpusError: it is 0.
    """
    power = float(np.square(samples).mean()) if len(samples) else 0.0
    if power <= 0:
        raise CorpusError(source.path, "is silent, at least in part", "remove it")
    return power


def _noise(mixture: Mixture, length: int, read: Read) -> tuple[np.ndarray, float]:
    """Noise of any level, and where in its recording it begins in seconds."""
    if mixture.kind == COLOURED:
        return coloured(length, 2 * mixture.draw("colour"), mixture), 0.0
    total, start_sec = np.zeros(length), 0.0
    for place, source in enumerate(mixture.noises):
        samples = read(source)
        piece, start = stretch(samples, length, mixture, f"noise {place}")
        start_sec = source.start_sec + start / SAMPLE_RATE
        # Voices are equally loud.
        total += piece / math.sqrt(power_of(piece, source))
    return total, start_sec


def _endless(samples: np.ndarray, fade: int, length: int) -> np.ndarray:
    """A recording repeated, its end faded into its beginning over ``fade`` samples."""
    period = samples[: len(samples) - fade].copy()
    rise = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(1, fade))
    period[:fade] = period[:fade] * rise + samples[len(samples) - fade :] * rise[::-1]
    return np.resize(period, length)


def _fill(folder: Path, mixtures: Sequence[Mixture], name_of: Callable[[Path], str]) -> None:
    read = lru_cache(maxsize=RECORDINGS)(read_sound)
    rows = []
    for mixture in mixtures:
        noisy, clean, start_sec = noisy_and_clean(mixture, read)
        noisy_path, clean_path = paths_of(folder, mixture)
        for path, samples in ((noisy_path, noisy), (clean_path, clean)):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, samples[None], SAMPLE_RATE, subtype="PCM_16")
        noises = " ".join(name_of(noise.path) for noise in mixture.noises)
        described = (mixture.name, mixture.side, name_of(mixture.speech.path), mixture.kind, noises)
        drawn = (f"{start_sec:.4f}", repr(mixture.snr_db), repr(mixture.level_db))
        rows.append((*described, *drawn, samples_sha256(clean), samples_sha256(noisy)))
    columns = "name side speech noise_kind noise noise_start_sec snr_db level_db clean_sha256 noisy_sha256"
    write_table(folder / TABLE, columns.split(), rows)


def _names(mixtures: Sequence[Mixture]) -> list[str]:
    """Of all files, in their folder."""
    here = Path()
    return [TABLE, *(path.as_posix() for mixture in mixtures for path in paths_of(here, mixture))]
