"""Spoken digits are joined into strings: laid down by the names of the takes alone, then written once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path

import numpy as np

from avpipe.corpora.chance import digest, uniform, white_noise
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.mixing import FULL_SCALE, read_samples
from avpipe.corpora.written import samples_sha256, write_folder, write_table
from avpipe.media import write_audio

SAMPLE_RATE = 8_000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = (3, 7)
"""The fewest and the most in a string."""
EDGE_SEC = (0.1, 0.5)
"""Pause before the first digit, and behind the last."""
GAP_SEC = (0.05, 0.6)
"""Pause between two digits."""
LEVELS_DB = (-35.0, -15.0)
"""Mean power of the digits without the pauses, from dB of full scale; less where a sample would exceed ``PEAK``."""
TAKE_DB = 3.0
"""A digit is so much louder or softer than its string at most."""
NOISE_DB = (-75.0, -50.0)
"""Mean power of the noise under those strings that have one, from dB of full scale."""
PEAK = 0.95
"""Of full scale, which no digit exceeds: what is left is room for the noise."""
FADE_SEC = 0.005
"""At the edges of each take."""
TABLE = "strings.csv"
COLUMNS = "name side text speaker takes pauses_sec level_db noise_db sha256"

Read = Callable[[Example], np.ndarray]


@dataclass(frozen=True, slots=True)
class DigitString:
    """One string to be written; everything that is drawn for it is drawn from seed, side and number."""

    side: str
    number: int
    takes: tuple[Example, ...]
    """Of one speaker; the target of each is its digit."""
    levels_db: tuple[float, ...]
    """Mean power of each take, less that of the string."""
    pauses: tuple[int, ...]
    """Samples before each take, and behind the last."""
    level_db: float
    noise_db: float | None
    """None: the pauses are digital silence."""
    seed: int

    @property
    def speaker(self) -> str:
        return self.takes[0].group

    @property
    def text(self) -> str:
        return " ".join(WORDS[int(str(take.target))] for take in self.takes)

    @property
    def name(self) -> str:
        """Of its file, in the folder of all strings."""
        digits = "".join(str(take.target) for take in self.takes)
        return f"{self.side}/{self.number:04d}_{self.speaker}_{digits}.flac"


def plan_strings(takes: Sequence[Example], side: str, number_of_strings: int, seed: int) -> list[DigitString]:
    """So many strings of a side: the speakers in turn, each one's takes in packs that hold every take once."""
    by_speaker: dict[str, list[Example]] = {}
    for take in takes:
        by_speaker.setdefault(take.group, []).append(take)
    speakers = sorted(by_speaker)
    endless = {speaker: _packs(by_speaker[speaker], seed, side, speaker) for speaker in speakers}
    strings = []
    for number in range(number_of_strings):
        turn, place = divmod(number, len(speakers))
        strings.append(_string(endless[speakers[place]], side, number, (turn + place) % 2 == 1, seed))
    return strings


@dataclass(frozen=True, slots=True)
class Background:
    """What is heard behind the strings."""

    noise: Example
    snr_db: float
    """Mean power of a string, its pauses included, from that of the noise."""


def write_strings(folder: Path, strings: Sequence[DigitString], background: Background | None = None) -> None:
    """Write the strings and a table, all or nothing; what is there already stays.

    Raises:
        CorpusError: a take is silent, or the disk is full or read-only.
        MediaError: a take cannot be read, a file not be written.
    """
    names = [TABLE, *(string.name for string in strings)]
    write_folder(folder, names, lambda part: _fill(part, strings, background), "strings of digits")


def joined(string: DigitString, read: Read) -> tuple[np.ndarray, float]:
    """The samples of a string, and the level that its digits have in the end, in dB of full scale.

    Shape:
        returns (samples,) int16.

    Raises:
        CorpusError: a take is silent.
        MediaError: a take cannot be read.
    """
    takes = [_levelled(take, read, level_db) for take, level_db in zip(string.takes, string.levels_db, strict=True)]
    # Each take has unit power, but for its own level.
    energy = sum(len(take) * 10 ** (db / 10) for take, db in zip(takes, string.levels_db, strict=True))
    power = energy / sum(map(len, takes))
    pieces = [np.zeros(string.pauses[0])]
    for take, pause in zip(takes, string.pauses[1:], strict=True):
        pieces += [take, np.zeros(pause)]
    speech = np.concatenate(pieces)
    gain = min(10 ** (string.level_db / 20) / math.sqrt(power), PEAK / float(np.abs(speech).max()))
    samples = speech * (gain * FULL_SCALE)
    if string.noise_db is not None:
        noise = white_noise(len(samples), "digit_strings", string.seed, string.side, string.number, "noise")
        samples += noise * (FULL_SCALE * 10 ** (string.noise_db / 20) / math.sqrt(np.square(noise).mean()))
    return np.rint(samples).astype(np.int16), 20 * math.log10(gain * math.sqrt(power))


def behind(samples: np.ndarray, string: DigitString, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """A string with a stretch of noise under it, from a place that is drawn; softer where both would clip.

    Shape:
        samples: (samples,), int16, returned in the same shape; noise: (any number,), from which it begins anew where
        it is too short.

    Raises:
        CorpusError: the stretch is silent.
    """
    place = uniform("digit_strings", string.seed, string.side, string.number, "background")
    first = int(place * max(len(noise) - len(samples) + 1, 1))
    under = np.resize(noise[first:], len(samples)).astype(np.float64)
    power = float(np.square(under).mean())
    if power <= 0:
        raise CorpusError("corpus.noise", "is silent in a stretch that is to be heard", "give another recording")
    speech = samples.astype(np.float64)
    mixed = speech + under * math.sqrt(float(np.square(speech).mean()) / power / 10 ** (snr_db / 10))
    scale = min(1.0, PEAK * FULL_SCALE / float(np.abs(mixed).max()))
    return np.rint(mixed * scale).astype(np.int16)


def _packs(takes: Sequence[Example], *key: object) -> Iterator[Example]:
    """The takes for ever, in packs that hold each of them once, every pack in an order of its own."""
    for number in count():
        yield from sorted(takes, key=lambda take: digest("digit_strings", *key, number, take.path.stem))


def _string(takes: Iterator[Example], side: str, number: int, noisy: bool, seed: int) -> DigitString:
    def draw(what: str, place: int = 0) -> float:
        return uniform("digit_strings", seed, side, number, what, place)

    fewest, most = DIGITS
    chosen = tuple(islice(takes, fewest + int((most - fewest + 1) * draw("digits"))))
    places = range(len(chosen) + 1)
    return DigitString(
        side=side,
        number=number,
        takes=chosen,
        levels_db=tuple(_between((-TAKE_DB, TAKE_DB), draw("take", place)) for place in places[1:]),
        pauses=tuple(
            _samples(EDGE_SEC if place in (0, len(chosen)) else GAP_SEC, draw("pause", place)) for place in places
        ),
        level_db=_between(LEVELS_DB, draw("level")),
        noise_db=_between(NOISE_DB, draw("noise")) if noisy else None,
        seed=seed,
    )


def _between(limits_db: tuple[float, float], drawn: float) -> float:
    low_db, high_db = limits_db
    return round(low_db + (high_db - low_db) * drawn, 1)


def _samples(limits_sec: tuple[float, float], drawn: float) -> int:
    low, high = (round(limit_sec * SAMPLE_RATE) for limit_sec in limits_sec)
    return low + int((high - low + 1) * drawn)


def _levelled(take: Example, read: Read, level_db: float) -> np.ndarray:
    """A take without its offset, faded in and out, with unit power but for ``level_db``.

    Its power is that before it was faded: of whole numbers, so that every machine finds the same.
    """
    samples = read(take).astype(np.float64)
    if len(samples):
        samples -= np.rint(samples.mean())
    power = float(np.square(samples).mean()) if len(samples) else 0.0
    if power <= 0:
        raise CorpusError(take.path, "is silent", "remove it")
    rise = np.ones(len(samples))
    fade = min(round(FADE_SEC * SAMPLE_RATE), len(samples))
    rise[:fade] = (np.arange(fade) + 0.5) / fade
    return samples * (10 ** (level_db / 20) / math.sqrt(power)) * rise * rise[::-1]


def _fill(folder: Path, strings: Sequence[DigitString], background: Background | None) -> None:
    noise = None if background is None else read_samples(background.noise, SAMPLE_RATE)

    @cache  # every take stands in many strings, and all of them are small
    def read(take: Example) -> np.ndarray:
        return read_samples(take, SAMPLE_RATE).astype(np.float32)  # whole numbers of 16 bits: nothing is lost

    rows = []
    for string in strings:
        samples, level_db = joined(string, read)
        if background is not None and noise is not None:
            samples = behind(samples, string, noise, background.snr_db)
        path = folder / string.name
        path.parent.mkdir(exist_ok=True)
        write_audio(path, samples[None], SAMPLE_RATE, subtype="PCM_16")
        takes = " ".join(take.path.stem for take in string.takes)
        pauses = " ".join(repr(pause / SAMPLE_RATE) for pause in string.pauses)
        levels = f"{level_db:.1f}", "" if string.noise_db is None else repr(string.noise_db)
        described = (string.name, string.side, string.text, string.speaker, takes, pauses)
        rows.append((*described, *levels, samples_sha256(samples)))
    write_table(folder / TABLE, COLUMNS.split(), rows)
