"""Where one shot of a film ends and the next begins."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from avpipe.answers.answers import Answers
from avpipe.answers.decoded import Boundary, Decoded, FrameScores, Shot
from avpipe.corpora import CUT, GRADUAL, TOLERANCE_SEC, told


class ShotAnswers(Answers):
    """The transitions of a film by two scores a frame, of a cut and of a gradual transition; see
    :class:`avpipe.objectives.Boundaries`, whose arguments these are.
    """

    def __init__(self, cut_threshold: float, gradual_threshold: float, peak: float, shortest: int, apart: int) -> None:
        self.cut_threshold = cut_threshold
        self.gradual_threshold = gradual_threshold
        self.peak = peak
        self.shortest = shortest
        self.apart = apart

    @property
    def settings(self) -> dict[str, Any]:
        names = ("cut_threshold", "gradual_threshold", "peak", "shortest", "apart")
        return {name: getattr(self, name) for name in names}

    def said(self, scores: np.ndarray, lengths: np.ndarray | None) -> list[Decoded]:
        """The scores of each frame; transitions are found when all windows of a film are known.

        Shape:
            scores: (B, T, 2), in [0, 1].
        """
        assert lengths is not None
        return [Decoded(frames=(FrameScores(each[:steps]),)) for each, steps in zip(scores, lengths, strict=True)]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One window after the other, what two of them have seen cut in the middle."""
        parts = list(windows[0].frames)
        for window in windows[1:]:
            for part in window.frames:
                shared = int((parts[-1].times_sec >= part.times_sec[0] - TOLERANCE_SEC).sum())
                parts[-1] = parts[-1].part(0, len(parts[-1].times_sec) - shared + shared // 2)
                parts.append(part.part(shared // 2, len(part.times_sec)))
        return Decoded(frames=tuple(parts))

    def finished(self, combined: Decoded) -> Decoded:
        """The transitions of a film in order of time, and the shots between them."""
        if not combined.frames:
            return combined
        times = np.concatenate([part.times_sec for part in combined.frames])
        scores = np.concatenate([part.scores for part in combined.frames])
        found = tuple(self._boundaries(times, scores))
        shots = tuple(_shots(times, found, combined.frames[-1].end_sec))
        return replace(combined, frames=(), boundaries=found, shots=shots, text=told(found))

    def _boundaries(self, times: np.ndarray, scores: np.ndarray) -> Iterator[Boundary]:
        """
        Shape:
            times: (T,), in seconds; scores: (T, 2).
        """
        cuts, gradual = scores.T
        spans = self._spans(gradual)
        within = np.zeros(len(times), bool)
        for first, end in spans:
            within[max(0, first - self.apart) : end + self.apart] = True
        places = [(place, place, float(cuts[place])) for place in self._peaks(cuts) if not within[place]]
        places += [(first, end, float(gradual[first:end].max())) for first, end in spans if first and end < len(times)]
        for first, end, score in sorted(places):
            kind = CUT if first == end else GRADUAL
            yield Boundary(float(times[(first + end) // 2]), kind, score, float(times[first]), float(times[end]))

    def _spans(self, gradual: np.ndarray) -> list[tuple[int, int]]:
        """Runs of frames of gradual transitions, (first, end) each."""
        steps = np.diff(np.concatenate([[False], gradual >= self.gradual_threshold, [False]]).astype(int))
        spans: list[tuple[int, int]] = []
        for first, end in zip(np.flatnonzero(steps > 0).tolist(), np.flatnonzero(steps < 0).tolist(), strict=True):
            if spans and first - spans[-1][1] < self.shortest:
                first = spans.pop()[0]
            spans.append((first, end))
        return [
            (first, end)
            for first, end in spans
            if end - first >= self.shortest and gradual[first:end].max() >= self.peak
        ]

    def _peaks(self, cuts: np.ndarray) -> Iterator[int]:
        """Frames that cuts lead to; a film's first frame is none."""
        for place in np.flatnonzero(cuts >= self.cut_threshold).tolist():
            low, high = max(0, place - self.apart + 1), place + self.apart
            if place and place == low + int(cuts[low:high].argmax()):
                yield place


def _shots(times: np.ndarray, boundaries: Sequence[Boundary], end_sec: float) -> Iterator[Shot]:
    """From boundary to boundary, without a gap; a gradual transition is parted in its middle."""
    starts = [float(times[0]), *(each.time_sec for each in boundaries)]
    places = [*np.searchsorted(times, starts).tolist(), len(times)]
    for number, start_sec in enumerate(starts):
        last_sec = starts[number + 1] if number + 1 < len(starts) else max(end_sec, float(times[-1]))
        yield Shot(start_sec, last_sec, places[number + 1] - places[number])
