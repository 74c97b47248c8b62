"""Where one shot of a film ends and the next begins."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from avpipe.corpora import CUT, GRADUAL, TOLERANCE_SEC, Transition, told, understood
from avpipe.networks import Output
from avpipe.objectives.matching import COUNTS, matched, rates
from avpipe.objectives.objective import Batch, Boundary, Decoded, FrameScores, Objective, Shot

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Boundaries(Objective):
    """Two scores a frame: whether a cut leads to it, and whether it is of a gradual transition.

    A frame is a cut where its score reaches the threshold and is the greatest of its neighbours' within ``apart``
    frames. A run of frames whose gradual score reaches its threshold is a gradual transition, if one of them reaches
    ``peak`` and it lasts ``shortest`` frames or more; two runs with a smaller gap than that are one. Cuts within a
    gradual transition, and within ``apart`` frames of it, are its part and are not told; nor are fades at the edges of
    a film, which lead to no other shot.

    Windows of a film share frames; what a frame is, is said by the window that sees as far to either side as the
    network does, so that the answer does not hang on where the film was cut into windows.

    Metrics, of all films together: precision, recall and F1 of cuts (``cut_f1`` ...) and of gradual transitions
    (``gradual_f1`` ...), and their mean F1 (``f1``). A cut is right where the truth has one at the same frame (0 frames
    of tolerance); a gradual transition, where it shares a frame with a true one. Each true one can be found once, and
    kinds are counted apart.

    Args:
        cut_threshold: that the score of a cut must reach.
        gradual_threshold: that the score of every frame of a gradual transition must reach.
        peak: that the score of one of its frames must reach.
        shortest: frames of a gradual transition, at the least.
        apart: frames; of two cuts that are nearer than this, the less sure one is not told.
        cut_weight: of a frame that a cut leads to, in the loss, where one of another frame is 1.
        gradual_weight: of all that is said of gradual transitions, in the loss.

    Reference:
        S. Tang et al., "Fast Video Shot Transition Localization with Deep Structured Models" (ClipShots), 2018,
        arXiv:1808.04234, and A. F. Smeaton, P. Over, A. R. Doherty, "Video shot boundary detection: Seven years of
        TRECVid activity", CVIU 2010: one-to-one matching by overlap, cuts and gradual transitions apart. TRECVid grants
        cuts five frames; here none. T. Souček, J. Lokoč, "TransNet V2", 2020, arXiv:2008.04838: one score for the
        place and one for all frames of a transition, the rare class weighted by 5.
    """

    best_metric = "f1"

    def __init__(
        self,
        cut_threshold: float = 0.7,
        gradual_threshold: float = 0.4,
        peak: float = 0.6,
        shortest: int = 2,
        apart: int = 2,
        cut_weight: float = 5.0,
        gradual_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.cut_threshold = cut_threshold
        self.gradual_threshold = gradual_threshold
        self.peak = peak
        self.shortest = shortest
        self.apart = apart
        self.cut_weight = cut_weight
        self.gradual_weight = gradual_weight

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        return {}

    @property
    def num_outputs(self) -> int:
        return 2

    def encode(self, target: Any) -> Tensor:
        """
        Shape:
            returns (0,): the labels of the frames are among the features.
        """
        return torch.empty(0)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the true frames of the batch; of cuts more of it comes from those frames that they lead to."""
        assert output.lengths is not None
        values = output.value.float()
        labels = batch.features["frame_labels"].transpose(1, 2).float()
        seen = torch.arange(values.shape[1], device=values.device) < output.lengths[:, None]
        weights = torch.stack([1.0 + (self.cut_weight - 1.0) * labels[..., 0], torch.ones_like(labels[..., 1])], 2)
        costs = binary_cross_entropy_with_logits(values, labels, weights, reduction="none") * seen[..., None]
        cut, gradual = costs.sum((0, 1)) / seen.sum().clamp_min(1)
        return cut + self.gradual_weight * gradual

    def decode(self, output: Output) -> list[Decoded]:
        """The scores of each frame; transitions are found when all windows of a film are known."""
        return [Decoded(frames=(FrameScores(scores),)) for scores in self._scores(output)]

    def judge(self, output: Output, batch: Batch) -> list[Decoded]:
        """What is right in each window by itself, with frames for seconds: an estimate, as windows overlap."""
        judged = []
        for scores, labels in zip(self._scores(output), batch.features["frame_labels"].cpu().numpy(), strict=True):
            times = np.arange(len(scores), dtype=float)
            found, true = (self._transitions(times, rows) for rows in (scores, labels[:, : len(scores)].T))
            judged.append(Decoded(scores=matched(found, true)))
        return judged

    @staticmethod
    def _scores(output: Output) -> list[np.ndarray]:
        assert output.lengths is not None
        scores = output.value.detach().float().cpu().sigmoid().numpy()
        return [each[:steps] for each, steps in zip(scores, output.lengths.tolist(), strict=True)]

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """One window after the other, what two of them have seen cut in the middle; of judgements, their sums."""
        if windows[0].scores:
            return Decoded(scores={name: math.fsum(each.scores[name] for each in windows) for name in COUNTS})
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

    def _transitions(self, times: np.ndarray, scores: np.ndarray) -> list[Transition]:
        return [Transition(each.start_sec, each.end_sec) for each in self._boundaries(times, scores)]

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

    def metrics(self) -> "MetricCollection":
        from torchmetrics import MetricCollection

        from avpipe.objectives.boundary_metrics import BoundaryRates

        return MetricCollection({"rates": BoundaryRates()}, compute_groups=False)

    def update(self, metrics: "MetricCollection", answers: Sequence[Decoded], targets: Sequence[Any]) -> None:
        for answer, target in zip(answers, targets, strict=True):
            metrics["rates"].update(_counts(answer, target))

    def scorer(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Callable[[Sequence[int]], dict[str, float]]:
        # Counted once for all calls: a bootstrap asks a thousand times.
        rows = [_counts(answer, target) for answer, target in zip(answers, targets, strict=True)]

        def measured(places: Sequence[int]) -> dict[str, float]:
            return rates({name: math.fsum(rows[place][name] for place in places) for name in COUNTS})

        return measured

    def tables(self, answers: Sequence[Decoded], targets: Sequence[Any]) -> Mapping[str, list[list[str | int]]]:
        """How many transitions each answer has, and how many of them are right."""
        rows = [_counts(answer, target) for answer, target in zip(answers, targets, strict=True)]
        table: list[list[str | int]] = [list(COUNTS)]
        table += [[int(row[name]) for name in COUNTS] for row in rows]
        return {"counts": table}


def _counts(answer: Decoded, target: Any) -> Mapping[str, float]:
    return answer.scores or matched(understood(answer.text or ""), understood(str(target)))


def _shots(times: np.ndarray, boundaries: Sequence[Boundary], end_sec: float) -> Iterator[Shot]:
    """From boundary to boundary, without a gap; a gradual transition is parted in its middle."""
    starts = [float(times[0]), *(each.time_sec for each in boundaries)]
    places = [*np.searchsorted(times, starts).tolist(), len(times)]
    for number, start_sec in enumerate(starts):
        last_sec = starts[number + 1] if number + 1 < len(starts) else max(end_sec, float(times[-1]))
        yield Shot(start_sec, last_sec, places[number + 1] - places[number])
