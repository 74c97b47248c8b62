"""Voices to be told apart: clean speech to train on, and fixed crops in noise to validate and test on."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from avpipe.corpora.corpus import Corpus, choose_label, relative_to_root
from avpipe.corpora.cropping import Crop, pairs_of, plan_crops, write_crops
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.mixing import SAMPLE_RATE
from avpipe.corpora.mixtures import Mixtures
from avpipe.corpora.sources import Sources, mixture_sources, source_roots
from avpipe.corpora.sped import at_speeds
from avpipe.errors import ArgumentError
from avpipe.files import cache_folder, sha256_of

VERSION = 1
"""Of the recipe: another one writes other files, under another name."""
SCORED = ("val", "test")
"""The sides that have crops."""
CROPS_SEC = (0.1, 60.0)
"""The shortest and the longest crop."""
SPEEDS = (0.5, 2.0)
"""The lowest and the highest speed."""


class NoisyVoices(Corpus):
    """Voices in noise, to be verified: whether two crops are of one voice.

    Target and group are the speaker. A training example is a clean recording. Validation and test are fixed crops,
    written once into the cache, 16 kHz, 16 bits, mono, as ``<side>/<utterance>_<number>_<crop>.flac``; ``crops.csv``
    beside them tells what each is made of. What is drawn hangs on the names of the files alone, and the folder's name
    on the recipe, the arguments and the content of the sources. No voice and no source of noise stands on two sides:
    see :func:`mixture_sources`.

    Utterances of one voice share a room and a microphone; their quiet background alone would tell voices apart. So
    each crop has a noise of its own, and two crops of one voice never share its source while there are others: 10 to
    20 dB below the speech (energies within the crop), drawn evenly. Over both lies an equaliser of the crop's own, up
    to 6 dB up or down from 100 Hz to 8 kHz, ahead of which the ratio is meant. Levels are -32 to -20 dB of full scale.

    Crops of one utterance do not overlap where it is long enough, and overlap as little as can be where it is not, or
    where some of it is a pause; what is shorter than a crop is repeated. Of each voice ten utterances at most are
    cropped: pairs grow with the square of what there is.

    Trials are all pairs of crops of a side (:meth:`trials`, and ``trials_<side>.csv`` with ``name_1 name_2 same``). In
    the test pairs of crops of one utterance do not count. In the validation they do, as the speakers of the house have
    one utterance each: its error rates are not those of voices that return on another day.

    Args:
        root: the folder that holds ``librispeech/``, ``esc10/`` and ``noise/``; None: ``$AVPIPE_CORPORA``.
        label: voice.
        speech: a folder of your own clean speech, a folder a speaker; None: the house's.
        noise: a folder of your own noises, best a folder a kind; None: the house's.
        crop_sec: length of a crop.
        crops_test: of each utterance that tests.
        crops_val: of each utterance that validates.
        speeds: at which training voices are heard besides, each of them as a voice of its own: see :func:`at_speeds`.
    """

    name = "noisy_voices"
    licence = Mixtures.licence
    has_classes = False
    fixed_split = True

    def __init__(
        self,
        root: str | Path | None = None,
        label: str = "voice",
        speech: str | Path | None = None,
        noise: str | Path | None = None,
        crop_sec: float = 2.0,
        crops_test: int = 2,
        crops_val: int = 6,
        speeds: Sequence[float] = (),
    ) -> None:
        self.label = choose_label(self.name, label, ("voice",))
        shortest_sec, longest_sec = CROPS_SEC
        if type(crop_sec) not in (int, float) or not shortest_sec <= crop_sec <= longest_sec:
            remedy = f"give seconds from {shortest_sec:g} to {longest_sec:g}"
            raise ArgumentError(f"corpus.crop_sec={crop_sec}", "is no length of a crop", remedy)
        self._length = round(crop_sec * SAMPLE_RATE)
        self._counts = dict(zip(SCORED, (crops_val, crops_test), strict=True))
        for side, number in self._counts.items():
            if type(number) is not int or number < 1:
                raise ArgumentError(f"corpus.crops_{side}={number}", "is no number of crops", "give 1 or more")
        for speed in speeds:
            if type(speed) not in (int, float) or not SPEEDS[0] <= speed <= SPEEDS[1] or speed == 1:
                remedy = f"give numbers from {SPEEDS[0]:g} to {SPEEDS[1]:g} but 1, such as [0.9,1.1]"
                raise ArgumentError(f"corpus.speeds={list(speeds)}", f"{speed} is no other speed", remedy)
        self._speeds = tuple(speeds)
        if speech or noise:
            self.licence = "not stated"
        self._where = root, speech, noise
        self._source_roots = source_roots(self.name, root, speech, noise)
        self.root = self._source_roots[0]
        self._cache = cache_folder() / self.name
        self.other_roots = (self._cache,)

    def scan(self) -> Iterator[Example]:
        yield from self._sides

    def official_split(self) -> dict[Example, str]:
        return dict(self._sides)

    def trials(self, side: str) -> list[tuple[Example, Example, bool]]:
        """The pairs of crops that score a side, ``val`` or ``test``, and whether they are of one voice."""
        if side not in SCORED:
            raise ValueError(f"side={side!r} has no trials; choose from {', '.join(SCORED)}")
        examples = dict(self.crops)
        crops = [crop for crop in examples if crop.side == side]
        return [(examples[one], examples[other], one.voice == other.voice) for one, other in pairs_of(crops)]

    @cached_property
    def sources(self) -> dict[str, Sources]:
        """Speech and noise of each side."""
        return mixture_sources(*self._where)

    @cached_property
    def crops(self) -> tuple[tuple[Crop, Example], ...]:
        """Every crop and its example, in the table's order; they are written if they are not there yet."""
        sides = {side: self._plan(side) for side in SCORED}
        planned = [crop for crops in sides.values() for crop in crops]
        folder = self._cache / self._digest(planned)
        write_crops(folder, sides, self._source_name)
        return tuple((crop, Example(folder / crop.name, crop.voice, group=crop.voice)) for crop in planned)

    @cached_property
    def _sides(self) -> dict[Example, str]:
        own = [replace(each, target=each.group) for each in self.sources["train"].speech]
        others = at_speeds(own, self._speeds, SAMPLE_RATE, self._cache, self._source_name)
        train = dict.fromkeys([*own, *others], "train")
        return train | {example: crop.side for crop, example in self.crops}

    def _plan(self, side: str) -> list[Crop]:
        planned = plan_crops(self.sources[side], side, self._counts[side], self._length)
        for same, what in ((True, "of one voice"), (False, "of two voices")):
            if not any((one.voice == other.voice) == same for one, other in pairs_of(planned)):
                reason = f"no two crops of its {side} side that may be compared are {what}"
                raise CorpusError(self.root, reason, "add speakers, and recordings of each in a folder of its own")
        return planned

    def _digest(self, planned: list[Crop]) -> str:
        """What the crops are made of and how, in 16 hexadecimal digits."""
        used = {each.path for crop in planned for each in (crop.speech, crop.noise)}
        lines = [f"recipe {VERSION}, {SAMPLE_RATE} Hz, {self._length} samples"]
        lines += sorted(f"{self._source_name(path)}\t{sha256_of(path)}" for path in used)
        for crop in planned:
            sources = (crop.speech, crop.noise)
            named = (f"{self._source_name(each.path)}@{each.start_sec!r}-{each.end_sec!r}" for each in sources)
            drawn = (crop.snr_db, crop.equaliser_db, crop.level_db)
            lines.append("\t".join((crop.name, crop.voice, *named, *map(repr, drawn))))
        return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]

    def _source_name(self, path: Path) -> str:
        return relative_to_root(path, *self._source_roots)
