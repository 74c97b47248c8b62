"""Where one shot of a film ends and the next begins."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from avpipe.answers import Decoded, ShotAnswers
from avpipe.corpora import Transition, understood
from avpipe.networks import Output
from avpipe.objectives.matching import COUNTS, matched, rates
from avpipe.objectives.objective import Batch, Objective

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


class Boundaries(ShotAnswers, Objective):
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
        Objective.__init__(self)
        ShotAnswers.__init__(self, cut_threshold, gradual_threshold, peak, shortest, apart)
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

    def scores(self, value: Tensor) -> Tensor:
        """Both in [0, 1]."""
        return value.sigmoid()

    def judge(self, output: Output, batch: Batch) -> list[Decoded]:
        """What is right in each window by itself, with frames for seconds: an estimate, as windows overlap."""
        judged = []
        found = (each.frames[0].scores for each in self.decode(output))
        for scores, labels in zip(found, batch.features["frame_labels"].cpu().numpy(), strict=True):
            times = np.arange(len(scores), dtype=float)
            said, true = (self._transitions(times, rows) for rows in (scores, labels[:, : len(scores)].T))
            judged.append(Decoded(scores=matched(said, true)))
        return judged

    def combine(self, windows: Sequence[Decoded], weights: Sequence[float]) -> Decoded:
        """As of any scores; of judgements, their sums."""
        if windows[0].scores:
            return Decoded(scores={name: math.fsum(each.scores[name] for each in windows) for name in COUNTS})
        return super().combine(windows, weights)

    def _transitions(self, times: np.ndarray, scores: np.ndarray) -> list[Transition]:
        return [Transition(each.start_sec, each.end_sec) for each in self._boundaries(times, scores)]

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
