"""Who speaks when: the windows of a recording sorted by voice, without being told how many voices there are."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import ceil

import numpy as np

from avpipe.answers import UNKNOWN, Decoded, VoiceAnswers
from avpipe.inference.prediction import Turn
from avpipe.inference.speech import LEVEL_SEC, SHORTEST_SEC, Stretch, runs

FULL_SHARE = 0.6
"""Of the speech in the fullest window, that a window holds of one stretch to found a voice: what lies at the edge of a
turn holds little of it, or two voices, and all edges sound alike. Measured on meetings of validation voices; from 0.55
to 0.65 it is of little effect."""
LEAST_VOICE_SEC = 1.0
"""What is heard for less, beside voices that are heard for longer, is one of them: mostly a window across two."""
MOST_SORTED = 2000
"""Windows that are compared each with each; of a longer recording so many, evenly spaced, and the others go to the
voice that is nearest. All of the 20 000 windows of three hours would take gigabytes."""


class TurnFinder:
    """Gathers the windows of one recording, and tells whose turns they are.

    Windows that are mostly of one stretch of speech, from pause to pause, are clustered by the mean similarity of their
    pairs, until no two clusters reach the similarity from which on two recordings are taken to be of one voice. Each
    moment of a stretch belongs to the nearest of these windows within it, or where the stretch is too short to have
    one, to the window that holds most of it; and to the voice that this window is nearest to. One voice at a time:
    where two speak at once, one of them is named.

    Args:
        objective: compares voices, and knows a threshold; a cluster that is near enough to one of its people has that
            name, the others are ``speaker_1``, ``speaker_2`` in the order in which they are heard.

    Reference:
        G. Sell, D. Garcia-Romero, "Speaker Diarization with PLDA I-Vector Scoring and Unsupervised Calibration", SLT
        2014 (clustering of short segments until a calibrated threshold; here of vectors, by their similarities).
    """

    def __init__(self, objective: VoiceAnswers) -> None:
        self.objective = objective
        self._windows: list[tuple[int, int]] = []
        self._vectors: list[np.ndarray] = []

    def add(self, start_sec: float, end_sec: float, vector: Sequence[float]) -> None:
        """Take the next window.

        Shape:
            vector: (dim,), of length 1.
        """
        start = round(start_sec / LEVEL_SEC)
        self._windows.append((start, start + ceil((end_sec - start_sec) / LEVEL_SEC - 1e-6)))
        self._vectors.append(np.array(vector, np.float32))

    def turns(self, speech: Iterable[Stretch]) -> tuple[Turn, ...]:
        """Turns, one after the other; a pause is in none.

        Args:
            speech: where somebody speaks.
        """
        if not self._windows:
            return ()
        first = self._windows[0][0]
        spans = [(start - first, end - first) for start, end in self._windows]
        spoken = _spoken(speech, first, spans)
        if not spoken.any():
            return ()
        founders, moments, windows = _attributed(list(runs(spoken)), spans)
        owned = np.bincount(windows, minlength=len(spans))[founders]
        centres = self._voices(np.stack([self._vectors[place] for place in founders]), owned * LEVEL_SEC)
        heard, places = np.unique(windows, return_inverse=True)
        speaking = self._nearest(np.stack([self._vectors[place] for place in heard]), centres)[places].tolist()
        names = self._names(centres, dict.fromkeys(speaking))
        labels = list(dict.fromkeys(names.values()))  # two clusters may be one person
        numbers = {voice: labels.index(name) for voice, name in names.items()}
        said = np.full(len(spoken), -1)
        said[moments] = [numbers[voice] for voice in speaking]
        for start, end in list(_stretches(said)):
            if (end - start) * LEVEL_SEC < SHORTEST_SEC - 1e-6:  # a rest of a window: the neighbour goes on
                beside = [said[place] for place in (start - 1, end) if 0 <= place < len(said) and said[place] >= 0]
                said[start:end] = [*beside, said[start]][0]
        return tuple(
            Turn((first + start) * LEVEL_SEC, (first + end) * LEVEL_SEC, labels[said[start]])
            for start, end in _stretches(said)
        )

    def _voices(self, vectors: np.ndarray, owned_sec: np.ndarray) -> np.ndarray:
        """(voices, dim): the mean direction of each voice.

        Shape:
            vectors: (W, dim), of the windows that may found voices; owned_sec: (W,), of speech that belongs to each.
        """
        places = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_SORTED)).round().astype(int))
        sorted_voices = self._clustered(vectors[places])
        voices = self._nearest(vectors, _centres(vectors[places], sorted_voices))
        voices[places] = sorted_voices
        seconds = np.bincount(voices, owned_sec)
        long = seconds >= LEAST_VOICE_SEC - 1e-6
        return _centres(vectors, voices)[long | ~long.any()]

    def _clustered(self, vectors: np.ndarray) -> np.ndarray:
        if len(vectors) == 1:
            return np.zeros(1, int)
        from sklearn.cluster import AgglomerativeClustering  # takes a second to load, and few ask for turns

        threshold = float(self.objective.threshold or 0.0)
        similarities = self.objective.similarities(vectors, vectors).astype(np.float64)
        highest = max(float(similarities.max()), threshold)  # distances must not be negative
        clustering = AgglomerativeClustering(
            n_clusters=None, metric="precomputed", linkage="average", distance_threshold=highest - threshold
        )
        return np.asarray(clustering.fit(highest - similarities).labels_, int)

    def _nearest(self, vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
        return self.objective.similarities(vectors, centres).argmax(1)

    def _names(self, centres: np.ndarray, heard: Iterable[int]) -> dict[int, str]:
        """The names of the voices that are heard, in the order in which they are.

        Shape:
            centres: (voices, dim).
        """
        names: dict[int, str] = {}
        number = 0
        for voice in heard:
            label = self.objective.finished(Decoded(embedding=tuple(centres[voice].tolist()))).label
            while label in (None, UNKNOWN):
                number += 1
                label = f"speaker_{number}" if f"speaker_{number}" not in self.objective.people else None
            names[voice] = str(label)
        return names


def _spoken(speech: Iterable[Stretch], first: int, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """(moments,), bool: where somebody speaks within the windows, of which silent ones may be left out.

    Args:
        speech: in seconds.
        first: the number of the first moment.
        spans: of each window, its first moment and the one after its last.
    """
    spoken, covered = np.zeros((2, max(end for _, end in spans)), bool)
    for start_sec, end_sec in speech:
        spoken[max(0, round(start_sec / LEVEL_SEC) - first) : max(0, round(end_sec / LEVEL_SEC) - first)] = True
    for start, end in spans:
        covered[start:end] = True
    return spoken & covered


def _stretches(said: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, end) of each stretch of one number; below 0 is a pause."""
    for start, end in pairwise(np.flatnonzero(np.diff(said, prepend=-2, append=-2)).tolist()):
        if said[start] >= 0:
            yield start, end


def _attributed(
    stretches: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """The windows that may found voices, the moments of speech, and which window each moment belongs to.

    Args:
        stretches: of speech, and
        spans: of windows: the first moment of each, and the one after its last; every stretch has a window.
    """
    held = _held(stretches, spans)
    most = [max(shares, key=lambda share: share[1], default=(-1, 0)) for shares in held]
    full = FULL_SHARE * max(amount for _, amount in most)
    founders = [place for place, (_, amount) in enumerate(most) if amount >= full]
    own: dict[int, list[int]] = {}
    for place in founders:
        own.setdefault(most[place][0], []).append(place)
    fullest: dict[int, tuple[tuple[int, int], int]] = {}
    for place, shares in enumerate(held):
        total = sum(amount for _, amount in shares)
        for stretch, amount in shares:
            # Of those that hold as much of it, the one that holds least of others.
            fullest[stretch] = max(fullest.get(stretch, ((0, 0), 0)), ((amount, -total), -place))
    moments, windows = [], []
    for stretch, (start, end) in enumerate(stretches):
        inside = np.arange(start, end)
        placed = own.get(stretch) or [-fullest[stretch][1]]
        centres = np.array([max(start, spans[place][0]) + min(end, spans[place][1]) - 1 for place in placed]) / 2
        moments.append(inside)
        windows.append(np.array(placed)[np.searchsorted((centres[1:] + centres[:-1]) / 2, inside)])
    return founders, np.concatenate(moments), np.concatenate(windows)


def _held(stretches: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Of each window, the stretches that it touches, by number, and how many moments of each it holds."""
    ends = [end for _, end in stretches]
    found: list[list[tuple[int, int]]] = []
    for start, end in spans:
        found.append([])
        place = bisect_right(ends, start)
        while place < len(stretches) and stretches[place][0] < end:
            found[-1].append((place, min(end, ends[place]) - max(start, stretches[place][0])))
            place += 1
    return found


def _centres(vectors: np.ndarray, voices: np.ndarray) -> np.ndarray:
    """(voices, dim): the mean direction of each voice's windows; zeros where it has none left."""
    sums = np.zeros((voices.max() + 1, vectors.shape[1]))
    np.add.at(sums, voices, vectors)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
