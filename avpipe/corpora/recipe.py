"""Which speech is mixed with which noise, how loud: laid down by names alone, before a file is opened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from avpipe.corpora.chance import digest, uniform
from avpipe.corpora.errors import CorpusError
from avpipe.corpora.example import Example
from avpipe.corpora.sources import Sources

TEST_SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0)
TEST_CELL = 4
"""Utterances of each kind of noise at each ratio; more where there are few kinds."""
TEST_LEAST = 100
"""Mixtures that few kinds of noise make up for."""
VAL_MIXTURES = 76
VAL_CLEAN = 4
"""Inputs left clean among the validation's, beyond ``VAL_MIXTURES``."""
VAL_SNRS_DB = (-5.0, 20.0)
VAL_SEC = 4.0
LEVELS_DB = (-32.0, -20.0)
"""Mean power of the speech, from dB of full scale; less where the mixture would clip."""
BABBLE_VOICES = (4, 6)

BABBLE = "babble"
COLOURED = "coloured"
CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Mixture:
    """One mixture to be written; everything that is drawn for it is drawn from its side and number."""

    side: str
    number: int
    speech: Example
    kind: str
    noises: tuple[Example, ...]
    """One noise; several speakers for babble; none where it is generated, or the input left clean."""
    snr_db: float
    """Energy of the speech by that of the noise, each over the whole file; infinite where it is left clean."""
    level_db: float
    longest_sec: float | None
    """Seconds that are cut out of the speech; None: it is taken whole."""

    @property
    def name(self) -> str:
        """Of its files."""
        kind = "".join(letter if letter.isalnum() else "_" for letter in self.kind)
        ratio = "" if math.isinf(self.snr_db) else f"_{self.snr_db:+05.1f}dB"
        return f"{self.number:04d}_{kind}{ratio}.flac"

    def draw(self, *what: object) -> float:
        """A number in [0, 1) for what is drawn of this mixture."""
        return uniform(self.side, self.number, *what)


def plan_validation(sources: Sources) -> list[Mixture]:
    """Crops of speech with every kind of noise in turn at ratios spread evenly, and a few left clean."""
    kinds = [*_kinds(sources, least_voices=3), COLOURED]
    utterances = _take_turns(sources.speech, VAL_MIXTURES + VAL_CLEAN, "val")
    places = sorted(range(VAL_MIXTURES), key=lambda number: digest("val", "snr", number))
    low_db, high_db = VAL_SNRS_DB
    mixtures = []
    for number, speech in enumerate(utterances):
        kind = kinds[number % len(kinds)] if number < VAL_MIXTURES else CLEAN
        snr_db = math.inf
        if number < VAL_MIXTURES:
            spread = (places[number] + uniform("val", "within", number)) / VAL_MIXTURES
            snr_db = round(low_db + (high_db - low_db) * spread, 1)
        mixtures.append(_mixture("val", number, speech, kind, number // len(kinds), sources, snr_db, VAL_SEC))
    return mixtures


def plan_test(sources: Sources) -> list[Mixture]:
    """Each kind of noise at each ratio with whole utterances, all of which are used as often as one another."""
    kinds = _kinds(sources, least_voices=BABBLE_VOICES[0])
    cell = max(TEST_CELL, math.ceil(TEST_LEAST / (len(kinds) * len(TEST_SNRS_DB))))
    cells = [(kind, ratio, each) for kind in kinds for ratio in range(len(TEST_SNRS_DB)) for each in range(cell)]
    utterances = _take_turns(sources.speech, len(cells), "test")
    return [
        _mixture("test", number, speech, kind, ratio * cell + each, sources, TEST_SNRS_DB[ratio], None)
        for number, (speech, (kind, ratio, each)) in enumerate(zip(utterances, cells, strict=True))
    ]


def _mixture(
    side: str,
    number: int,
    speech: Example,
    kind: str,
    turn: int,
    sources: Sources,
    snr_db: float,
    longest_sec: float | None,
) -> Mixture:
    """The mixture in which a kind of noise has its ``turn``-th turn."""
    low_db, high_db = LEVELS_DB
    level_db = round(low_db + (high_db - low_db) * uniform(side, number, "level"), 1)
    noises: tuple[Example, ...] = ()
    if kind == BABBLE:
        noises = _voices(side, number, speech, sources)
    elif kind not in (COLOURED, CLEAN):
        found = [noise for noise in sources.noise if noise.target == kind]
        found.sort(key=lambda noise: digest(side, kind, noise.group, noise.path.name))
        noises = (found[turn % len(found)],)
    return Mixture(side, number, speech, kind, noises, snr_db, level_db, longest_sec)


def _kinds(sources: Sources, least_voices: int) -> list[str]:
    """The kinds of noise, sorted, and babble where there are voices enough besides the speaker."""
    speakers = {each.group for each in sources.speech}
    kinds = sorted({str(noise.target) for noise in sources.noise})
    for kind in (BABBLE, COLOURED, CLEAN):
        if kind in kinds:
            raise CorpusError(
                "corpus.noise", f"{kind!r} is no name for a folder of noises: it is made here", "rename it"
            )
    return [*kinds, BABBLE] if len(speakers) > least_voices else kinds


def _voices(side: str, number: int, speech: Example, sources: Sources) -> tuple[Example, ...]:
    """One utterance each of several other speakers."""
    least, most = BABBLE_VOICES
    count = least + int((most - least + 1) * uniform(side, number, "voices"))
    utterances: dict[str, list[Example]] = {}
    for each in sources.speech:
        if each.group != speech.group:
            utterances.setdefault(each.group, []).append(each)
    speakers = sorted(utterances, key=lambda speaker: digest(side, number, "voice", speaker))[:count]
    return tuple(
        min(utterances[speaker], key=lambda each: digest(side, number, each.path.name)) for speaker in speakers
    )


def _take_turns(speech: Sequence[Example], count: int, seed: str) -> list[Example]:
    """So many utterances: the speakers in turn, each one's in turn, in an order drawn anew for every round."""
    by_speaker: dict[str, list[Example]] = {}
    for each in speech:
        by_speaker.setdefault(each.group, []).append(each)
    for speaker, utterances in by_speaker.items():
        utterances.sort(key=lambda each: digest(seed, speaker, each.path.name, each.start_sec))
    taken: list[Example] = []
    round_ = 0
    while len(taken) < count:
        order = sorted(by_speaker, key=lambda speaker: digest(seed, round_, speaker))
        taken += [by_speaker[speaker][round_ % len(by_speaker[speaker])] for speaker in order]
        round_ += 1
    return taken[:count]
