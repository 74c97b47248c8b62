"""A gallery: a folder a person, recordings of the voice below it, by which people are known again."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from avpipe.answers import UNKNOWN, VoiceAnswers
from avpipe.errors import ArgumentError, printable
from avpipe.files import sha256_of
from avpipe.inference.model import AnyModel, Model
from avpipe.inference.prediction import Job, Prediction, TaskAnswer
from avpipe.inference.predictor import Predictor
from avpipe.inference.voices import voices_among
from avpipe.media import MEDIA_SUFFIXES, find_media

LEAST_SEC = 0.5
"""Of speech, for a recording to tell a voice."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Who is known, and how they sound to each bundle."""

    people: tuple[str, ...]
    sha256: str
    """Of the people's names and their recordings' content."""
    vectors: Mapping[str, np.ndarray]
    """By bundle name: (people, dim), the mean direction of each one's recordings."""

    def known_to(self, bundles: Sequence[AnyModel]) -> list[AnyModel]:
        """The bundles, of which those that compare voices name the people."""
        return [self._introduced(bundle) for bundle in bundles]

    def _introduced(self, bundle: AnyModel) -> AnyModel:
        if bundle.name not in self.vectors or not isinstance(bundle.objective, VoiceAnswers):
            return bundle
        return bundle.answering(bundle.objective.with_people(self.people, self.vectors[bundle.name]))


class _Collector:
    def __init__(self) -> None:
        self.predictions: dict[str, Prediction] = {}

    def add(self, prediction: Prediction) -> None:
        self.predictions[prediction.path] = prediction


def enrol(bundles: Sequence[Model], folder: Path, batch_size: int = 16, workers: int = 0) -> Gallery:
    """Learn how the people of a gallery sound; what is left out, and whatever looks wrong, is warned of.

    A person is a folder, which has the person's name; any media files below it are recordings of the voice. One is
    enough. Each is answered as any file is, and the person's vector is the mean direction of theirs.

    Args:
        bundles: of different names; those that compare voices are used.
        folder: the gallery.
        batch_size: windows a batch.
        workers: decoding processes, at most one a recording less one.

    Raises:
        ArgumentError: if no bundle compares voices, or there is nobody in the gallery.
    """
    voices = voices_among(bundles, f"gallery={folder}", thresholds=True)
    asked = _recordings(folder)
    jobs = [job for own in asked.values() for job in own]
    collector = _Collector()
    Predictor(voices, batch_size, min(workers, len(jobs) - 1), turns=True).run(jobs, collector)
    answers = collector.predictions
    known = {person: heard for person, own in asked.items() if (heard := _heard(folder, person, own, answers, voices))}
    if not known:
        raise ArgumentError(f"gallery={folder}", "nobody in it can be heard", "see the warnings above")
    vectors = {
        bundle.name: np.stack([_direction(own, answers, bundle.name) for own in known.values()]) for bundle in voices
    }
    digest = hashlib.sha256()
    for person, own in known.items():
        for job in own:
            digest.update(f"{person}\t{sha256_of(job.path)}\n".encode())
    gallery = Gallery(tuple(known), digest.hexdigest(), vectors)
    _tell_twins(folder, gallery, voices)
    return gallery


def _recordings(folder: Path) -> dict[str, list[Job]]:
    """The recordings of each person, by name; of some there may be none."""
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        remedy = "name a folder that holds a folder a person, with recordings of the voice"
        raise ArgumentError(f"gallery={folder}", str(error.strerror).lower(), remedy) from error
    strays = [path.name for path in entries if path.is_file() and path.suffix.lower() in MEDIA_SUFFIXES]
    if strays:
        others = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        _warn(folder, f"{strays[0]}{others} in no person's folder: left out")
    people = {printable(path.name): path for path in entries if path.is_dir()}
    if not people:
        reason = "holds no folder of a person"
        raise ArgumentError(f"gallery={folder}", reason, "make one a person, of that name, with recordings in it")
    if UNKNOWN in people:
        raise ArgumentError(f"gallery={folder}", f"nobody can be called {UNKNOWN}: strangers are", "rename that folder")
    return {
        person: [
            Job(printable(f"{person}/{path.relative_to(place).as_posix()}"), path)
            for path in find_media(place, on_error=lambda error: _warn(folder, str(error)))
        ]
        for person, place in people.items()
    }


def _heard(
    folder: Path, person: str, jobs: Sequence[Job], answers: Mapping[str, Prediction], voices: Sequence[Model]
) -> list[Job]:
    """Those of a person's recordings in which somebody speaks; a silence would be known again in every silence.

    What is to be doubted of one that is used is warned of as well.
    """
    if not jobs:
        _warn(folder, f"no recording of {person}: left out")
        return []
    heard = []
    for job in jobs:
        answer = answers[job.name]
        if not all(bundle.name in answer.tasks for bundle in voices):
            _warn(folder, f"{job.name} is left out: {answer.reason}")
        elif (seconds := min(_spoken_sec(answer.tasks[bundle.name]) for bundle in voices)) < LEAST_SEC - 1e-6:
            told = f"{seconds:.2g} s of speech, of {LEAST_SEC} s that it takes" if seconds else "nobody speaks in it"
            _warn(folder, f"{job.name} is left out: {told}")
        else:
            if answer.reason:
                _warn(folder, f"{job.name} is used, and to be doubted: {answer.reason}")
            heard.append(job)
    if not heard:
        _warn(folder, f"no recording of {person} can be heard: left out")
    return heard


def _spoken_sec(answer: TaskAnswer) -> float:
    return sum(turn.end_sec - turn.start_sec for turn in answer.turns)


def _direction(jobs: Sequence[Job], answers: Mapping[str, Prediction], bundle: str) -> np.ndarray:
    """The mean direction of recordings, in their order, as answers come in any."""
    total = np.sum([answers[job.name].tasks[bundle].embedding for job in jobs], axis=0)
    direction: np.ndarray = total / max(float(np.linalg.norm(total)), 1e-12)
    return direction


def _tell_twins(folder: Path, gallery: Gallery, voices: Sequence[Model]) -> None:
    """Warn of people whom a bundle takes for one."""
    for bundle in voices:
        objective, vectors = bundle.objective, gallery.vectors[bundle.name]
        if not isinstance(objective, VoiceAnswers) or objective.threshold is None:
            continue
        similarities = objective.similarities(vectors, vectors)
        for one, other in combinations(range(len(vectors)), 2):
            if similarities[one, other] >= objective.threshold:
                names = f"{gallery.people[one]} and {gallery.people[other]}"
                alike = f"similarity {similarities[one, other]:.2f}, one voice from {objective.threshold:.2f} on"
                _warn(folder, f"{names} sound like one voice to {bundle.name} ({alike})")


def _warn(folder: Path, line: str) -> None:
    print(printable(f"warning: gallery={folder}: {line}").replace("\n", "\\n"), file=sys.stderr)
