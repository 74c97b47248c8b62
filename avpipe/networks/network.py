"""Encoders, pooling, fusion and a head in one shape for every task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from torch import Tensor, nn

from avpipe.features import Features
from avpipe.networks.auxiliary import AuxiliaryHead


@dataclass(frozen=True, slots=True)
class Output:
    """What a network says about a batch.

    Shape:
        value: (B, num_outputs), logits or a score.
        lengths: (B,), true lengths where ``value`` has a time axis.
        embedding: (B, dim), the vector in front of the head.
        auxiliary: (B, num_outputs) each, what heads half-way up say of the same, in training.
    """

    value: Tensor
    lengths: Tensor | None = None
    embedding: Tensor | None = None
    auxiliary: dict[str, Tensor] = field(default_factory=dict)


class Encoder(Protocol):
    """From one sense's features to a sequence of vectors.

    Its ``forward(features, lengths)`` takes (B, ...) and true lengths (B,) in steps of time, and returns the sequence
    (B, out_dim, steps) with its lengths (B,). One whose authors train heads half-way up has ``taps``, the channels of
    the maps that these see by name, and ``with_taps``, which returns these maps besides.
    """

    out_dim: int

    def __call__(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]: ...


class _Sized(Protocol):
    out_dim: int


class Network(nn.Module):
    """Each sense through its encoder and pooling, fused into one vector, and a linear head.

    Args:
        encoders: an :class:`Encoder` a sense, by the sense's name.
        pooling: makes a pooling layer for vectors of a given length.
        fusion: makes a fusion layer for the pooled vectors' lengths by sense.
        num_outputs: of the head; for classification, the number of labels.
        dropout: of the fused vector, in training.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        pooling: Callable[[int], nn.Module],
        fusion: Callable[[Mapping[str, int]], nn.Module],
        num_outputs: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(dict(encoders))
        self.pooling = nn.ModuleDict(
            {sense: pooling(cast(Encoder, encoder).out_dim) for sense, encoder in encoders.items()}
        )
        self.fusion = fusion({sense: cast(_Sized, layer).out_dim for sense, layer in self.pooling.items()})
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(cast(_Sized, self.fusion).out_dim, num_outputs)
        self.auxiliary = nn.ModuleDict(
            {
                f"{sense}_{tap}": AuxiliaryHead(channels, num_outputs)
                for sense, encoder in encoders.items()
                for tap, channels in getattr(encoder, "taps", {}).items()
            }
        )
        """Heads half-way up some encoders, in training only."""

    @property
    def num_outputs(self) -> int:
        """Width of the head."""
        return self.head.out_features

    def forward(self, features: Features, lengths: dict[str, Tensor]) -> Output:
        """
        Shape:
            features: (B, ...) a sense; lengths: (B,) a sense, in steps of its time axis.
        """
        embeddings, auxiliary = {}, {}
        for sense, encoder in self.encoders.items():
            if sense in features:
                if self.training and self.auxiliary and getattr(encoder, "taps", None):
                    given = features[sense], lengths[sense]
                    sequence, sequence_lengths, tapped = encoder.with_taps(*given)  # type: ignore[operator]
                    for tap, maps in tapped.items():
                        auxiliary[f"{sense}_{tap}"] = self.auxiliary[f"{sense}_{tap}"](maps, *given)
                else:
                    sequence, sequence_lengths = encoder(features[sense], lengths[sense])
                embeddings[sense] = self.pooling[sense](sequence, sequence_lengths)
        embedding = self.fusion(embeddings)
        return Output(self.head(self.dropout(embedding)), embedding=embedding, auxiliary=auxiliary)

    def drop_auxiliary(self) -> None:
        """Leave out the heads that only training needs."""
        self.auxiliary = nn.ModuleDict()
