"""Voices told apart by a speaker bundle and by the floor that it has to beat, in one run.

    pip install -c constraints.txt -e .
    AVPIPE_CORPORA=DIR python scripts/bench_speaker.py BUNDLE [OUTPUT.json]

The floor is what can be had without a network: means and deviations of 30 MFCCs, shrunken linear discriminant analysis
over the 251 voices of LibriSpeech's train-clean-100 (those that validate the bundle among them), and cosines. It learns
twice, from clean crops of 2 s that hardly overlap, and from many that went through the very recipe of the test's crops
(noise, equaliser, level) with noises of the training side. Both are told, and which is the better one.

Pairs of recordings: the trials of ``noisy_voices`` (2 s in noise, never two of one utterance, which ``avpipe evaluate``
counts as well); whole clean utterances of LibriSpeech's test-other; and pairs of different emotions: RAVDESS's
actors 17-20, and WR0 and TP0 of nEMO, of each voice 60 recordings at most, drawn by their names. Only test-other has
voices enough (ten) for an interval over them. RAVDESS has two sentences, which all actors say.

Open set: half of the voices of test-other (drawn by their names), then the other half, are enrolled from one recording
each, the first by name. All recordings of other utterances are asked, of all ten voices. The balanced rate is the mean
of how many of known voices are named rightly and how many of unknown ones are refused, at the bundle's own threshold.
That one is reached by few of the validation's pairs of two voices; the floor's is found in the same crops by the same
rule, with the 25 voices of them left out of the floor. "At best" is the rate at the threshold that would suit the test
best: what no choice of a threshold can exceed, and no score.
"""

import argparse
import hashlib
import importlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from json import dumps
from pathlib import Path

import librosa
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import avpipe
from avpipe.bundle import find_bundle, read_origin
from avpipe.corpora import Example, Nemo, NoisyVoices, Ravdess, Sources, make_split
from avpipe.corpora.cropping import noisy_voice, plan_crops, spoken
from avpipe.corpora.mixing import FULL_SCALE, SAMPLE_RATE, read_sound
from avpipe.files import write_text
from avpipe.inference import Job, Prediction, Predictor
from avpipe.media import read_clip
from avpipe.objectives import Verification, bootstrap_interval
from avpipe.objectives.detection import detection_rates

OURS = "avpipe"
CROP_SEC = 2.0
FLOOR_CROPS = {"floor, clean crops": 6, "floor, noisy crops": 48}
"""Of each utterance of training; of the clean ones so many hardly overlap, and more made it worse, on the test even."""
EMOTION_RECORDINGS = 60
"""Of each voice, at most, in pairs of different emotions: as many as a RAVDESS actor has."""
NEMO_VOICES = ("TP0", "WR0")
INTERVAL_VOICES = 10
"""Fewer tell too little about others."""
RESAMPLES = 1000
TRIALS, WHOLE = "2 s in noise", "whole, clean"
GAMES = ((WHOLE, WHOLE), (WHOLE, TRIALS), (TRIALS, TRIALS))
"""What is enrolled in the open set, and what is asked."""
HALVES = ("first half", "other half")

Similarities = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Recordings:
    """What is compared with one another, sorted by name."""

    paths: tuple[Path, ...]
    voices: np.ndarray
    parts: np.ndarray
    """Utterances, or emotions: two recordings of one part are no pair."""

    @classmethod
    def of(cls, rows: Iterable[tuple[Path, str, str]]) -> "Recordings":
        """From paths, voices and parts."""
        paths, voices, parts = zip(*sorted(rows), strict=True)
        return cls(paths, np.array(voices), np.array(parts))


@dataclass(frozen=True)
class System:
    """One way from files to vectors of length 1, to their similarities (of the rows of two matrices), to an answer."""

    embed: Callable[[Sequence[Path]], np.ndarray]
    similarities: Similarities
    threshold: float | None


def by_hash(names: Iterable[str]) -> list[str]:
    """In an order that hangs on each name alone."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def emotional(examples: Iterable[Example]) -> Recordings:
    """Recordings of acted emotion: the group is the voice, the target the emotion."""
    rows: list[tuple[Path, str, str]] = []
    for _, members in groupby(sorted(examples, key=lambda each: each.group), key=lambda each: each.group):
        by_name = {each.path.stem: each for each in members}
        drawn = (by_name[name] for name in by_hash(by_name)[:EMOTION_RECORDINGS])
        rows += ((each.path, each.group, str(each.target)) for each in drawn)
    return Recordings.of(rows)


def recordings_of(corpus: NoisyVoices) -> dict[str, Recordings]:
    """Everything that is compared, by title."""
    crops = [(crop, example) for crop, example in corpus.crops if crop.side == "test"]
    noisy = Recordings.of((example.path, crop.voice, crop.speech.path.stem) for crop, example in crops)
    trials = {frozenset((one.path, other.path)) for one, other, _ in corpus.trials("test")}
    pairs = np.argwhere(np.triu(comparable(noisy)))
    assert {frozenset((noisy.paths[one], noisy.paths[other])) for one, other in pairs} == trials
    speech = corpus.sources["test"].speech
    actors = (example for example, side in (Ravdess().official_split() or {}).items() if side == "test")
    return {
        TRIALS: noisy,
        WHOLE: Recordings.of((each.path, each.group, each.path.stem) for each in speech),
        "emotions, RAVDESS": emotional(actors),
        "emotions, nEMO": emotional(each for each in Nemo().examples() if each.group in NEMO_VOICES),
    }


def comparable(recordings: Recordings) -> np.ndarray:
    """(N, N): whether two recordings are a pair."""
    different: np.ndarray = recordings.parts[:, None] != recordings.parts
    return different


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(M, N) of vectors of length 1, (M, dim) and (N, dim)."""
    return one @ other.T


class _Collector:
    def __init__(self) -> None:
        self.said: dict[str, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.said[prediction.path] = prediction


def embed_by_bundle(predictor: Predictor, paths: Sequence[Path]) -> np.ndarray:
    """The bundle's vectors, by the way that prediction goes."""
    collector = _Collector()
    predictor.run([Job(str(place), path) for place, path in enumerate(paths)], collector)
    answers = [collector.said[str(place)] for place in range(len(paths))]
    for path, answer in zip(paths, answers, strict=True):
        if not answer.tasks:
            sys.exit(f"{path}: {answer.reason}")
    return np.array([next(iter(answer.tasks.values())).embedding for answer in answers])


def system_of(predictor: Predictor) -> tuple[System, float]:
    """A bundle, and the part of pairs of two voices that its threshold was to let through."""
    objective = predictor.bundles[0].objective
    if not isinstance(objective, Verification):
        sys.exit(f"{predictor.bundles[0].name}: tells no voices apart; name a bundle of the objective verification")
    embed = partial(embed_by_bundle, predictor)
    return System(embed, objective.similarities, objective.threshold), objective.false_accepts


def statistics(samples: np.ndarray) -> np.ndarray:
    """(60,): mean and deviation of 30 MFCCs of (n,) samples."""
    mfcc = librosa.feature.mfcc(
        y=samples.astype(np.float32),
        sr=SAMPLE_RATE,
        n_mfcc=30,
        n_fft=512,
        hop_length=160,
        n_mels=64,
        htk=True,
        norm="ortho",
    )
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


def statistics_of(paths: Sequence[Path]) -> np.ndarray:
    """(N, 60), of whole recordings."""
    return np.stack([statistics(read(path)) for path in paths])


def read(path: Path) -> np.ndarray:
    """A recording in one channel at 16 kHz."""
    clip = read_clip(path, sample_rate=SAMPLE_RATE, mono=True)
    assert clip.waveform is not None
    return clip.waveform[0]


def training_crops(corpus: NoisyVoices, number: int, noisy: bool) -> tuple[np.ndarray, np.ndarray]:
    """Statistics of so many crops of each utterance of the voices that train and validate, and their voices.

    Shape:
        returns (crops, 60) and (crops,).
    """
    train, val = corpus.sources["train"], corpus.sources["val"]
    planned = plan_crops(
        Sources((*train.speech, *val.speech), train.noise), "train", number, round(CROP_SEC * SAMPLE_RATE)
    )
    noise_of = lru_cache(maxsize=None)(read_sound)
    rows, voices = [], []
    for _, together in groupby(planned, key=lambda crop: crop.utterance):
        siblings = list(together)
        for crop, (speech, _) in zip(siblings, spoken(siblings, read_sound(siblings[0].speech)), strict=True):
            samples = noisy_voice(crop, speech, noise_of(crop.noise))[0] if noisy else speech
            rows.append(statistics(samples / FULL_SCALE))
            voices.append(crop.voice)
    return np.stack(rows), np.array(voices)


def discriminant(rows: np.ndarray, voices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From statistics to vectors of length 1, learned from statistics of voices."""
    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    model = make_pipeline(StandardScaler(), analysis).fit(rows, voices)

    def vectors_of(rows: np.ndarray) -> np.ndarray:
        vectors = model.transform(rows)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return vectors_of


def floor_of(corpus: NoisyVoices, number: int, noisy: bool, false_accepts: float) -> System:
    """The floor from so many crops of each utterance of training; its threshold is found as a bundle's is."""
    rows, voices = training_crops(corpus, number, noisy)
    unheard = Recordings.of(
        (example.path, crop.voice, crop.name) for crop, example in corpus.crops if crop.side == "val"
    )
    learnt = ~np.isin(voices, unheard.voices)
    vectors = discriminant(rows[learnt], voices[learnt])(statistics_of(unheard.paths))
    strangers = np.sort(cosines(vectors, vectors)[np.triu(unheard.voices[:, None] != unheard.voices)])
    threshold = np.nextafter(strangers[-1 - int(false_accepts * len(strangers))], np.inf)
    vectors_of = discriminant(rows, voices)
    return System(lambda paths: vectors_of(statistics_of(paths)), cosines, float(threshold))


def interval(voices: np.ndarray, score: Callable[[Sequence[int]], dict[str, float]]) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over the voices; nothing where they are too few."""
    enough = len(set(voices.tolist())) >= INTERVAL_VOICES
    return bootstrap_interval(voices.tolist(), score, RESAMPLES) if enough else {}


Measured = dict[str, tuple[float, tuple[float, float] | None]]
"""Scores, and their intervals where there are any."""


def verify(recordings: Recordings, similar: np.ndarray) -> Measured:
    """``eer`` and ``min_dcf`` over all pairs."""
    pairs = comparable(recordings)

    def score(places: Sequence[int]) -> dict[str, float]:
        one, other = (np.asarray(places)[each] for each in np.triu_indices(len(places), 1))
        taken = pairs[one, other] & (one != other)  # one that was drawn twice is no trial of itself
        one, other = one[taken], other[taken]
        return detection_rates(similar[one, other], recordings.voices[one] == recordings.voices[other])

    bounds = interval(recordings.voices, score)
    return {name: (value, bounds.get(name)) for name, value in score(range(len(similar))).items()}


@dataclass(frozen=True)
class Answers:
    """What was said of recordings that were asked, in two rounds with another half of the voices enrolled."""

    scores: np.ndarray
    """Similarity to the nearest that is enrolled."""
    named: np.ndarray
    """Whether that is the true voice."""
    known: np.ndarray
    """Whether the true voice is enrolled."""
    halves: np.ndarray
    voices: np.ndarray

    def rates(self, threshold: float, places: Sequence[int]) -> dict[str, float]:
        """Of some answers: balanced by half and in the mean, and the two rates that it is the mean of."""
        chosen = np.asarray(places)
        accepted, halves, known = self.scores[chosen] >= threshold, self.halves[chosen], self.known[chosen]
        right, refused = [], []
        for half in range(len(HALVES)):
            right.append(_share((accepted & self.named[chosen])[known & (halves == half)]))
            refused.append(_share(~accepted[~known & (halves == half)]))
        balanced = [sum(both) / 2 for both in zip(right, refused, strict=True)]
        means = {"balanced": balanced, "named rightly": right, "refused": refused}
        told = {name: sum(values) / len(HALVES) for name, values in means.items()}
        return told | dict(zip(HALVES, balanced, strict=True))

    def best(self) -> float:
        """The balanced rate at the threshold with which it is greatest."""
        thresholds = [*np.unique(self.scores).tolist(), np.inf]
        return max(self.rates(threshold, range(len(self.scores)))["balanced"] for threshold in thresholds)


def _share(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else float("nan")


Embedded = tuple[Recordings, np.ndarray]
"""Recordings and their vectors."""


def ask(similarities: Similarities, enrolled: Embedded, asked: Embedded) -> Answers:
    """Enrol the first recording of each voice of a half, and ask all of other utterances; then the other half."""
    (gallery, gallery_vectors), (questions, vectors) = enrolled, asked
    order = by_hash(set(gallery.voices.tolist()))
    middle = (len(order) + 1) // 2
    rounds = []
    for half, enrolled_voices in enumerate((order[:middle], order[middle:])):
        chosen = np.array([np.flatnonzero(gallery.voices == voice)[0] for voice in enrolled_voices])
        others = np.flatnonzero(~np.isin(questions.parts, gallery.parts[chosen]))
        similar = similarities(vectors[others], gallery_vectors[chosen])
        voices = questions.voices[others]
        named = np.array(enrolled_voices)[similar.argmax(axis=1)] == voices
        known = np.isin(voices, enrolled_voices)
        rounds.append((similar.max(axis=1), named, known, np.full(len(others), half), voices))
    return Answers(*(np.concatenate(each) for each in zip(*rounds, strict=True)))


def open_set(system: System, enrolled: Embedded, asked: Embedded) -> Measured:
    """The rates of :meth:`Answers.rates` at the system's threshold, if it has one, and the best balanced rate."""
    answers = ask(system.similarities, enrolled, asked)
    found: Measured = {"at best": (answers.best(), None)}
    if system.threshold is not None:
        score = partial(answers.rates, system.threshold)
        bounds = interval(answers.voices, score)
        found |= {name: (value, bounds.get(name)) for name, value in score(range(len(answers.voices))).items()}
    return found


def speed(system: System, paths: Sequence[Path]) -> float:
    """Seconds of sound embedded in a second of the processor's time, reading included."""
    system.embed(paths[:1])
    began = time.process_time()
    system.embed(paths)
    return sum(len(read(path)) for path in paths) / SAMPLE_RATE / (time.process_time() - began)


def told(scores: Measured, name: str, factor: float = 100.0) -> str:
    """A score and its interval, in percent by default."""
    if name not in scores:
        return "no threshold"
    value, bounds = scores[name]
    digits = 1 if factor > 1 else 3
    around = "" if bounds is None else " ({} .. {})".format(*(f"{bound * factor:.{digits}f}" for bound in bounds))
    return f"{value * factor:.{digits}f}{around}"


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be; the first row is the head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


Table = dict[str, dict[str, Measured]]
"""Scores by title and system."""


def print_verification(found: dict[str, Recordings], scores: Table) -> None:
    """Every system on all pairs, and the floor that is better."""
    for metric, head, factor in (("eer", "EER in %", 100.0), ("min_dcf", "minDCF", 1.0)):
        systems = list(next(iter(scores.values())))
        rows = [[head, "voices", "one voice", "two voices", *systems, "better floor"]]
        for title, by_system in scores.items():
            recordings = found[title]
            same = recordings.voices[:, None] == recordings.voices
            pairs = np.triu(comparable(recordings), 1)
            counts = (len(set(recordings.voices.tolist())), (pairs & same).sum(), (pairs & ~same).sum())
            better = min(FLOOR_CROPS, key=lambda name: by_system[name][metric][0])
            cells = (told(by_system[name], metric, factor) for name in systems)
            rows.append([title, *map(str, counts), *cells, better])
        print_table(rows)


def print_open_set(scores: Table) -> None:
    """A row for each game and system."""
    columns = ("balanced", *HALVES, "named rightly", "refused", "at best")
    rows = [["open set in %", "", *columns]]
    for title, by_system in scores.items():
        rows += ([title, name, *(told(each, column) for column in columns)] for name, each in by_system.items())
    print_table(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, tell, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", help="folder or name of a speaker bundle")
    parser.add_argument("output", type=Path, nargs="?", help="a JSON file to write")
    given = parser.parse_args(arguments)
    importlib.import_module("threadpoolctl").threadpool_limits(1)
    importlib.import_module("torch").set_num_threads(1)

    predictor = avpipe.load(given.bundle, "cpu", runtime="torch")
    bundle = predictor.bundles[0]
    ours, false_accepts = system_of(predictor)
    systems = {OURS: ours}
    corpus = NoisyVoices()
    sha256 = make_split(corpus).sha256
    print(f"avpipe {avpipe.__version__}, bundle {bundle.name} {bundle.digest}, split {sha256}")
    learned = read_origin(find_bundle(given.bundle)).split_sha256
    if learned != sha256:
        print(f"the bundle learned from another split: {learned}")
    systems |= {name: floor_of(corpus, number, "noisy" in name, false_accepts) for name, number in FLOOR_CROPS.items()}
    found = recordings_of(corpus)

    speeds = {name: speed(system, found[WHOLE].paths) for name, system in systems.items()}
    vectors = {
        name: {title: system.embed(each.paths) for title, each in found.items()} for name, system in systems.items()
    }
    verified: Table = {title: {} for title in found}
    opened: Table = {f"{one} -> {other}": {} for one, other in GAMES}
    for name, system in systems.items():
        embedded = {title: (each, vectors[name][title]) for title, each in found.items()}
        for title, (recordings, of_title) in embedded.items():
            verified[title][name] = verify(recordings, system.similarities(of_title, of_title))
        for one, other in GAMES:
            opened[f"{one} -> {other}"][name] = open_set(system, embedded[one], embedded[other])
    print_verification(found, verified)
    print_open_set(opened)
    print_table([["", *speeds], ["seconds of speech a second", *(f"{each:.0f}" for each in speeds.values())]])
    if given.output is not None:
        content = {
            "avpipe_version": avpipe.__version__,
            "bundle": bundle.name,
            "bundle_sha256": bundle.digest,
            "split_sha256": sha256,
            "thresholds": {name: system.threshold for name, system in systems.items()},
            "verification": verified,
            "open_set": opened,
            "speech_seconds_a_second": speeds,
        }
        write_text(given.output, dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
