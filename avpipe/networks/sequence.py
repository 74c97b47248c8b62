"""An answer for every step of time."""

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn

from avpipe.features import Features, Preprocessor
from avpipe.networks.network import Encoder, Output


class SequenceNetwork(nn.Module):
    """One sense through its encoder, and a linear head on every step.

    Args:
        encoders: the :class:`Encoder` of the one sense, by its name; it has a ``time_stride``.
        num_outputs: of the head; for transcription, the number of units and the blank.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], num_outputs: int) -> None:
        super().__init__()
        if len(encoders) != 1:
            raise ValueError(f"a sequence network has one sense, not {len(encoders)} ({', '.join(encoders)})")
        self.encoders = nn.ModuleDict(dict(encoders))
        ((self.sense, encoder),) = encoders.items()
        self.head = nn.Conv1d(cast(Encoder, encoder).out_dim, num_outputs, 1)

    @property
    def num_outputs(self) -> int:
        """Width of the head."""
        return self.head.out_channels

    @property
    def time_stride(self) -> int:
        """Frames of the features a step."""
        return cast(int, self.encoders[self.sense].time_stride)

    def step_sec(self, preprocessor: Preprocessor) -> float:
        """Seconds a step."""
        return self.time_stride * preprocessor.frame_sec(self.sense)

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: (B, ...), of the one sense; lengths: (B,), in steps of its time axis.
            The value is (B, steps, num_outputs), its lengths (B,).
        """
        sequence, steps = self.encoders[self.sense](features[self.sense], lengths[self.sense])
        return Output(self.head(sequence).transpose(1, 2), lengths=steps)
