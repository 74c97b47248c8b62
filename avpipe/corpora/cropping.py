"""Crops of voices in noise: laid down by names alone, then written once."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, groupby
from pathlib import Path

import numpy as np

from avpipe.corpora.chance import digest, uniform
from avpipe.corpora.example import Example
from avpipe.corpora.mixing import FULL_SCALE, PEAK, RECORDINGS, SAMPLE_RATE, power_of, read_sound, stretch
from avpipe.corpora.recipe import LEVELS_DB
from avpipe.corpora.sources import Sources
from avpipe.corpora.written import samples_sha256, write_folder, write_table
from avpipe.media import write_audio

VOICE_UTTERANCES = 10
"""Of each voice, at most; which ones is drawn. Pairs grow with the square of what there is."""
SNRS_DB = (10.0, 20.0)
PAUSE_POWER = 0.2
"""Mean power of a crop, by that of its whole utterance, below which another place is looked for."""
HOP_SEC = 0.05
"""Between the places that are looked at then."""
EQUALISER_DB = 6.0
"""A gain lies so far above or below 0 dB at most."""
KNOTS_HZ = (100.0, 8_000.0)
"""The first and the last frequency at which a gain is drawn."""
KNOTS = 6
"""Spread evenly over the logarithm of the frequency; between two of them gains follow a straight line there."""
TAPS = 255
"""Of the equaliser, an odd number: it delays nothing. It smooths what is narrower than about 125 Hz."""
STEPS, TAP_STEPS = 2**8, 2**16
"""Parts of a step of 16 bits that a mixture is rounded to, and parts of 1 that the equaliser is."""
NAME_LETTERS = 48
"""Of an utterance's name, at most, in the names of its crops."""
TABLE = "crops.csv"
COLUMNS = "name side voice speech speech_start_sec noise_kind noise noise_start_sec snr_db equaliser_db level_db sha256"


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop to be written; everything that is drawn for it is drawn from its side, utterance and place."""

    side: str
    utterance: int
    """Number on its side."""
    place: int
    """Number in its utterance, from the front."""
    places: int
    """Crops of the utterance."""
    length: int
    """Samples."""
    speech: Example
    """The group is the voice."""
    noise: Example
    """The target is the kind, the group the source recording."""

    @property
    def voice(self) -> str:
        return self.speech.group

    @property
    def name(self) -> str:
        """Of its file, in the folder of all crops; what stands before the last ``_`` names the utterance."""
        letters = (each if each.isalnum() or each in "-." else "_" for each in self.speech.path.stem[:NAME_LETTERS])
        return f"{self.side}/{''.join(letters)}_{self.utterance:03d}_{self.place}.flac"

    @property
    def snr_db(self) -> float:
        """Energy of the speech by that of the noise within the crop, ahead of the equaliser."""
        low_db, high_db = SNRS_DB
        return round(low_db + (high_db - low_db) * self.draw("snr"), 1)

    @property
    def level_db(self) -> float:
        """Mean power of the crop, from dB of full scale; less where it would clip."""
        low_db, high_db = LEVELS_DB
        return round(low_db + (high_db - low_db) * self.draw("level"), 1)

    @property
    def equaliser_db(self) -> tuple[float, ...]:
        """Gains at the knots."""
        return tuple(round(EQUALISER_DB * (2 * self.draw("equaliser", knot) - 1), 1) for knot in range(KNOTS))

    def draw(self, *what: object) -> float:
        """A number in [0, 1) for what is drawn of this crop."""
        return uniform("noisy_voices", self.side, self.utterance, self.place, *what)


def plan_crops(sources: Sources, side: str, crops: int, length: int) -> list[Crop]:
    """So many crops of each utterance, voice by voice.

    Two crops of one utterance have different sources of noise, and different kinds as far as there are enough; a
    source is heard with a voice again only after all others. So what two crops of one voice share is the voice.
    """
    by_voice: dict[str, list[Example]] = {}
    for each in sources.speech:
        by_voice.setdefault(each.group, []).append(each)
    planned: list[Crop] = []
    number = 0
    for voice in sorted(by_voice):
        drawn = sorted(by_voice[voice], key=lambda each: digest("noisy_voices", side, each.path.stem))
        taken = set(drawn[:VOICE_UTTERANCES])
        noises = _noises(sources.noise, side, voice, crops)
        for speech in by_voice[voice]:
            if speech in taken:
                for place, noise in enumerate(next(noises)):
                    planned.append(Crop(side, number, place, crops, length, speech, noise))
                number += 1
    return planned


def pairs_of(crops: Sequence[Crop]) -> Iterator[tuple[Crop, Crop]]:
    """The trials among crops of one side: every pair, of one utterance only where they validate."""
    for first, second in combinations(crops, 2):
        if first.side == "val" or first.utterance != second.utterance:
            yield first, second


def trials_table(side: str) -> str:
    """The name of the side's list of trials, in the folder of all crops."""
    return f"trials_{side}.csv"


def write_crops(folder: Path, sides: dict[str, list[Crop]], name_of: Callable[[Path], str]) -> None:
    """Write the crops of each side, a table and the lists of trials, all or nothing; what is there already stays.

    Args:
        folder: where to; of several processes that write at once the first to finish stays.
        sides: what to write.
        name_of: what the table calls a source.

    Raises:
        CorpusError: a source is silent, or the disk is full or read-only.
        MediaError: a source cannot be read, a file not be written.
    """
    names = [TABLE, *map(trials_table, sides), *(crop.name for crops in sides.values() for crop in crops)]
    write_folder(folder, names, lambda part: _fill(part, sides, name_of), "crops of voices")


def spoken(crops: Sequence[Crop], whole: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """The speech of every crop of one utterance, and its place in samples; none is a pause.

    Each crop has a part of the utterance for itself; where that is too short, they overlap as little as can be. Where
    it is a pause, the crop is taken from as far away from the others as can be.

    Shape:
        whole: (n,), of whole numbers.
        returns (length,) each.
    """
    found = [_in_part(crop, whole) for crop in crops]
    # What is too short has one place only.
    least = PAUSE_POWER * float(np.square(whole).mean()) if len(whole) > crops[0].length else 0.0
    pauses = [number for number, (piece, _) in enumerate(found) if np.square(piece).mean() < least]
    taken = [start for number, (_, start) in enumerate(found) if number not in pauses]
    for number in pauses:
        start = _farthest(whole, crops[number].length, least, taken)
        taken.append(start)
        found[number] = whole[start : start + crops[number].length], start
    return found


def noisy_voice(crop: Crop, speech: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, int, float]:
    """A crop, where in the noise it begins in samples, and the level it has in the end, in dB of full scale.

    Shape:
        speech: (length,), the crop's alone.
        noise: (n,), the whole recording.
        returns (length,) int16.

    Raises:
        CorpusError: the speech or the noise is silent.
    """
    noise, start = stretch(noise, crop.length, crop, "noise")
    ratio = math.sqrt(power_of(speech, crop.speech) / power_of(noise, crop.noise))
    mixed = equalised(speech + noise * (ratio * 10 ** (-crop.snr_db / 20)), crop.equaliser_db)
    # The power of whole numbers, so that every machine finds the same.
    power = power_of(np.rint(mixed), crop.speech)
    wanted = FULL_SCALE * 10 ** (crop.level_db / 20) / math.sqrt(power)
    scale = min(wanted, PEAK * FULL_SCALE / float(np.abs(mixed).max()))
    level_db = 20 * math.log10(scale * math.sqrt(power) / FULL_SCALE)
    return np.rint(mixed * scale).astype(np.int16), start, level_db


def equalised(samples: np.ndarray, levels_db: Sequence[float]) -> np.ndarray:
    """The sound under gains over frequency, evenly beyond the knots.

    Samples and filter are rounded to binary fractions first: so the sums are exact, in whatever order a machine adds.

    Shape:
        samples: (n,), n at least ``TAPS``; returned in the same shape, float64.
    """
    length = 2 * (TAPS + 1)
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE).clip(*KNOTS_HZ)
    gains_db = np.interp(np.log(frequencies_hz), np.log(np.geomspace(*KNOTS_HZ, KNOTS)), levels_db)
    taps = np.roll(np.fft.irfft(10 ** (gains_db / 20), length), TAPS // 2)[:TAPS] * np.hanning(TAPS + 2)[1:-1]
    return np.convolve(np.rint(samples * STEPS) / STEPS, np.rint(taps * TAP_STEPS) / TAP_STEPS, mode="same")


def _in_part(crop: Crop, whole: np.ndarray) -> tuple[np.ndarray, int]:
    """So much speech from the crop's own part of an utterance, and its place; an utterance too short is repeated."""
    room = max(crop.length, len(whole) // crop.places)
    begin = crop.place * max(0, len(whole) - room) // max(1, crop.places - 1)
    part = whole[begin : begin + room]
    found, start = (part, 0) if len(part) == crop.length else stretch(part, crop.length, crop, "speech")
    return found, begin + start


def _farthest(whole: np.ndarray, length: int, least: float, taken: Sequence[int]) -> int:
    """The place with so much power that is farthest from the places taken."""
    last = len(whole) - length
    places = np.append(np.arange(0, last, round(HOP_SEC * SAMPLE_RATE)), last)
    energies = np.append(0.0, np.cumsum(np.square(whole)))
    places = places[energies[places + length] - energies[places] >= least * length]
    distances = np.abs(places[:, None] - np.array(taken or [0])).min(axis=1)
    return int(places[distances.argmax()])


def _noises(noises: Sequence[Example], side: str, voice: str, crops: int) -> Iterator[list[Example]]:
    """Noises for one utterance of a voice after the other: what was heard with it less often comes first."""
    order = sorted(noises, key=lambda each: digest("noisy_voices", side, voice, each.group, each.path.name))
    heard: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    while True:
        chosen: list[Example] = []
        for _ in range(crops):
            sources_here, kinds_here = {each.group for each in chosen}, {str(each.target) for each in chosen}
            noise = min(
                order,
                key=lambda each: (
                    each.group in sources_here,
                    str(each.target) in kinds_here,
                    heard[each.group],
                    kinds[str(each.target)],
                ),
            )
            heard[noise.group] += 1
            kinds[str(noise.target)] += 1
            chosen.append(noise)
        yield chosen


def _fill(folder: Path, sides: dict[str, list[Crop]], name_of: Callable[[Path], str]) -> None:
    read = lru_cache(maxsize=RECORDINGS)(read_sound)
    rows = []
    for side, crops in sides.items():
        (folder / side).mkdir()
        for _, together in groupby(crops, key=lambda crop: crop.utterance):
            siblings = list(together)
            pieces = spoken(siblings, read(siblings[0].speech))
            for crop, (speech, speech_start) in zip(siblings, pieces, strict=True):
                samples, noise_start, level_db = noisy_voice(crop, speech, read(crop.noise))
                write_audio(folder / crop.name, samples[None], SAMPLE_RATE, subtype="PCM_16")
                said = (crop.voice, name_of(crop.speech.path), _seconds(crop.speech, speech_start))
                noise = (str(crop.noise.target), name_of(crop.noise.path), _seconds(crop.noise, noise_start))
                drawn = (repr(crop.snr_db), " ".join(map(repr, crop.equaliser_db)), f"{level_db:.1f}")
                rows.append((crop.name, side, *said, *noise, *drawn, samples_sha256(samples)))
        pairs = ((one.name, other.name, str(int(one.voice == other.voice))) for one, other in pairs_of(crops))
        write_table(folder / trials_table(side), ("name_1", "name_2", "same"), pairs)
    write_table(folder / TABLE, COLUMNS.split(), rows)


def _seconds(source: Example, place: int) -> str:
    """Exact to the sample."""
    return repr(round(source.start_sec + place / SAMPLE_RATE, 7))
