"""Voices told apart by comparing three recordings at a time, as a Siamese network learns."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from avpipe.errors import ArgumentError
from avpipe.networks import Output
from avpipe.objectives.objective import Batch
from avpipe.objectives.verification import Verification


class TripletVerification(Verification):
    """For each recording of a batch, the farthest one of its voice must be nearer than the nearest of another, by far.

    There are no prototypes, and so no cohort. Batches must hold each voice several times
    (``data.sampling=companions``); one in which none stands twice costs nothing. Training needs
    pytorch-metric-learning (``avpipe[speaker]``), answers do not.

    Args:
        voices: of training.
        dim: length of the vectors.
        margin: by which the cosine of the two recordings of one voice is to exceed that with the other voice.
        threshold: as of :class:`Verification`.
        spread: as of the same.
        false_accepts: as of the same.

    Reference:
        F. Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015, arXiv:1503.03832;
        A. Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017, arXiv:1703.07737 (the
        hardest pairs of each batch).
    """

    def __init__(
        self,
        voices: Sequence[str],
        dim: int = 128,
        margin: float = 0.2,
        threshold: float | None = None,
        spread: float = 0.1,
        false_accepts: float = 0.01,
    ) -> None:
        super().__init__(voices, dim, margin, threshold=threshold, spread=spread, false_accepts=false_accepts)
        self.register_parameter("prototypes", None)

    @classmethod
    def vocabulary(cls, targets: Sequence[Any]) -> dict[str, Any]:
        """
        Raises:
            ArgumentError: if pytorch-metric-learning is not installed.
        """
        if find_spec("pytorch_metric_learning") is None:
            remedy = 'pip install "avpipe[speaker]"'
            raise ArgumentError("objective", "pytorch-metric-learning is not installed", remedy)
        return super().vocabulary(targets)

    def loss(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the triplets whose margin is violated; voices that training does not know are in none."""
        from pytorch_metric_learning.distances import CosineSimilarity
        from pytorch_metric_learning.losses import TripletMarginLoss
        from pytorch_metric_learning.miners import BatchHardMiner

        known = batch.targets >= 0
        vectors, targets = output.value[known], batch.targets[known]
        triplets = BatchHardMiner(distance=CosineSimilarity())(vectors, targets)
        cost: Tensor = TripletMarginLoss(self.margin, distance=CosineSimilarity())(vectors, targets, triplets)
        return cost
