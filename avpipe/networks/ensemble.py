"""Several networks that answer as one."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from avpipe.features import Features
from avpipe.networks.masking import ignores_padding
from avpipe.networks.network import Network, Output, subsets


class Ensemble(nn.Module):
    """The mean of what several networks hold for probable; all take the same features.

    Args:
        members: two or more with equal ``num_outputs``, such as :class:`Network`; of two senses each may hear its own.
        temperatures: that each member's logits are divided by, so that none speaks louder than it is right; None: 1.

    Reference:
        B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep
        Ensembles", 2016, arXiv:1612.01474 (without adversarial training); the temperatures are those of C. Guo et
        al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599, a member each.
    """

    def __init__(self, members: Sequence[nn.Module], temperatures: Sequence[float] | None = None) -> None:
        super().__init__()
        temperatures = [1.0] * len(members) if temperatures is None else temperatures
        widths = {cast(Network, member).num_outputs for member in members}
        if len(members) < 2 or len(widths) != 1:
            raise ValueError(
                f"an ensemble has two or more members of one width, not {len(members)} of {sorted(widths)}"
            )
        if len(temperatures) != len(members) or not all(0 < each < math.inf for each in temperatures):
            raise ValueError("temperatures must be positive, one a member")
        self.members = nn.ModuleList(members)
        self.temperatures = tuple(float(each) for each in temperatures)
        (self.num_outputs,) = widths

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
            returns log-probabilities (B, num_outputs), whose softmax is the members' mean; as embedding the members'
            one after the other, if each has one.
        """
        return self._joined([member(features, lengths) for member in self.members])

    @property
    def ignores_padding(self) -> bool:
        """Whether all members do."""
        return ignores_padding(*self.members)

    @property
    def senses(self) -> tuple[str, ...]:
        """Those of any member."""
        return tuple(dict.fromkeys(sense for member in self.members for sense in cast(Network, member).senses))

    def answers_by_senses(self, features: Features, lengths: dict[str, Tensor]) -> dict[tuple[str, ...], Output]:
        """As :meth:`avpipe.networks.Network.answers_by_senses`; of members that have all senses."""
        answers = [cast(Network, member).answers_by_senses(features, lengths) for member in self.members]
        return {used: self._joined([each[used] for each in answers]) for used in subsets(self.senses)}

    def _joined(self, outputs: Sequence[Output]) -> Output:
        logarithms = torch.stack(
            [(output.value / one).log_softmax(1) for output, one in zip(outputs, self.temperatures, strict=True)]
        )
        embeddings = [output.embedding for output in outputs if output.embedding is not None]
        return Output(
            # Never out of the logarithm: a probability too small for a float would end as log(0).
            logarithms.logsumexp(0) - math.log(len(outputs)),
            embedding=torch.cat(embeddings, dim=1) if len(embeddings) == len(outputs) else None,
        )
